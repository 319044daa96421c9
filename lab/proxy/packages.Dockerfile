# course/proxy:1 from the distribution's packages, put together in rootfs.tar by packages.py.
FROM scratch AS made
ADD rootfs.tar /

FROM course/base:1
COPY --from=made /usr/lib/ /usr/lib/
COPY --from=made /usr/sbin/haproxy /usr/local/sbin/haproxy
COPY common.cfg /etc/proxy.cfg
COPY proxy.py /usr/local/bin/proxy
RUN chmod 755 /usr/local/bin/proxy
USER 1000:1000
EXPOSE 8080
# SIGUSR1 is HAProxy's polite end: it takes no more requests and answers those that it has.
STOPSIGNAL SIGUSR1
CMD ["proxy"]
