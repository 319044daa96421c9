# course/proxy:1 from the public image.
ARG HAPROXY
FROM $HAPROXY AS made
USER root
# Its libraries, as the loader finds them; the base has the C library, of the same release of Debian.
RUN mkdir /libraries \
    && LD_TRACE_LOADED_OBJECTS=1 /usr/local/sbin/haproxy \
    | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | grep -v '/libc\.\|/libm\.\|/ld-' \
    | while read -r file; do cp "$file" /libraries/; done

FROM course/base:1
COPY --from=made /libraries/ /usr/lib/
COPY --from=made /usr/local/sbin/haproxy /usr/local/sbin/haproxy
COPY common.cfg /etc/proxy.cfg
COPY proxy.py /usr/local/bin/proxy
RUN chmod 755 /usr/local/bin/proxy
USER 1000:1000
EXPOSE 8080
# SIGUSR1 is HAProxy's polite end: it takes no more requests and answers those that it has.
STOPSIGNAL SIGUSR1
CMD ["proxy"]
