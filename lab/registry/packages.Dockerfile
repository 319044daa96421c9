# course/registry:1 from the distribution's package, put together in rootfs.tar by packages.py.
FROM scratch AS made
ADD rootfs.tar /

FROM course/base:1
COPY --from=made /usr/bin/docker-registry /usr/local/bin/registry
COPY config.yml /etc/registry.yml
# No VOLUME: each container would leave one behind. A named volume takes over this folder's owner.
RUN mkdir -p /var/lib/registry && chown 1000:1000 /var/lib/registry
USER 1000:1000
EXPOSE 5000
CMD ["registry", "serve", "/etc/registry.yml"]
