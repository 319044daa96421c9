# course/registry:1 from the public image.
ARG REGISTRY
FROM $REGISTRY AS made

FROM course/base:1
# Its program is static: it runs on whatever C library the base has.
COPY --from=made /bin/registry /usr/local/bin/registry
COPY config.yml /etc/registry.yml
# No VOLUME: each container would leave one behind. A named volume takes over this folder's owner.
RUN mkdir -p /var/lib/registry && chown 1000:1000 /var/lib/registry
USER 1000:1000
EXPOSE 5000
CMD ["registry", "serve", "/etc/registry.yml"]
