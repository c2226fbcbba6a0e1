# The service in a container: two programs (wooo, and git for the embedded forge), no shell, no root.
#
#   docker build -t registry.example/wooo:0.1.0 .
#   docker run --rm -p 8080:8080 -v wooo-data:/var/lib/wooo registry.example/wooo:0.1.0

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends build-essential git && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked && strip target/release/wooo

# What the two programs need at run time, gathered in one folder: the files of each shared library, the certificates
# that TLS trusts, and the time zones.
RUN mkdir -p /root-fs/usr/bin /root-fs/etc/ssl /root-fs/usr/lib /root-fs/var/lib/wooo /root-fs/tmp \
    && apt-get update && apt-get install --yes --no-install-recommends ca-certificates tzdata \
    && cp target/release/wooo /root-fs/usr/bin/ \
    && cp /usr/bin/git /root-fs/usr/bin/ \
    && cp -r /usr/lib/git-core /root-fs/usr/lib/git-core \
    && cp -r /etc/ssl/certs /root-fs/etc/ssl/certs \
    && cp -r /usr/share/zoneinfo /root-fs/usr/share-zoneinfo && mkdir -p /root-fs/usr/share \
    && mv /root-fs/usr/share-zoneinfo /root-fs/usr/share/zoneinfo \
    && ldd target/release/wooo /usr/bin/git | grep -o '/[^ ]*\.so[^ ]*' | sort -u \
       | xargs -I{} sh -c 'mkdir -p "/root-fs$(dirname {})" && cp -L {} "/root-fs{}"' \
    && printf 'wooo:x:65532:65532::/var/lib/wooo:/usr/sbin/nologin\n' > /root-fs/etc/passwd \
    && printf 'wooo:x:65532:\n' > /root-fs/etc/group \
    && chown -R 65532:65532 /root-fs/var/lib/wooo && chmod 1777 /root-fs/tmp

FROM scratch
COPY --from=build /root-fs /
USER 65532:65532
ENV WOOO_LISTEN=0.0.0.0:8080 WOOO_DATA=/var/lib/wooo
EXPOSE 8080
VOLUME /var/lib/wooo
ENTRYPOINT ["/usr/bin/wooo"]
CMD ["serve"]
