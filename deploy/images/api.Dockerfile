# api, steward, flower, til-server (migrate, bootstrap), and workers without a GPU (outline, openai).
# checkov:skip=CKV_DOCKER_7: the base is named with its version and digest
ARG BASE=python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${BASE} AS build
WORKDIR /src
RUN python3 -m venv --without-pip /opt/til
COPY pyproject.toml README.md ./
COPY requirements/constraints.txt deploy/images/dependencies.py ./
# The dependencies are a separate layer, which changes only with their list.
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 dependencies.py pyproject.toml > dependencies.txt && \
    python3 -m pip --python /opt/til/bin/python3 install -c constraints.txt -r dependencies.txt
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m pip --python /opt/til/bin/python3 install --no-deps .

FROM ${BASE}
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="til-queue-api" \
      org.opencontainers.image.description="til-queue: api, steward, flower, migrations, workers without a GPU" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin til
COPY --from=build /opt/til /opt/til
COPY --chmod=755 deploy/images/answers /usr/local/bin/answers
# Only /tmp is written to, so the root file system can be read-only.
ENV PATH=/opt/til/bin:/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/tmp PYTHONUNBUFFERED=1 \
    TIL_API_HOST=0.0.0.0 TIL_METRICS_HOST=0.0.0.0 TIL_METRICS_PORT=9100
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000 9100
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["answers", "8000/healthz"]
CMD ["python3", "-m", "api"]
