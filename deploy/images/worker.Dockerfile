# The GPU worker on vLLM's official image, in the version that the tests use. Two targets:
#   worker                without weights: they come from gs://, a volume or the hub
#   worker-with-weights   the weights in the image: WEIGHTS=download (MODEL, MODEL_REVISION) or WEIGHTS=folder (./weights)
# checkov:skip=CKV_DOCKER_7: the base is named with its version, and build.sh pushes only images that are pinned by digest
ARG BASE=vllm/vllm-openai:v0.32.0
ARG WEIGHTS=download

FROM ${BASE} AS worker
# Installs the loader for weights in gs:// and s3://; empty: without it.
ARG STREAMER=1
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="til-queue-worker" \
      org.opencontainers.image.description="til-queue: a worker with vLLM for one GPU" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin til && \
    install -d -o til -g til /models /cache /weights
# The versions that the tests with the real vLLM use. Packages of the base image that satisfy them stay.
RUN --mount=type=bind,source=pyproject.toml,target=/src/pyproject.toml \
    --mount=type=bind,source=requirements/vllm-cpu.txt,target=/src/constraints.txt \
    --mount=type=bind,source=deploy/images/dependencies.py,target=/src/dependencies.py \
    --mount=type=cache,target=/root/.cache/pip \
    python3 /src/dependencies.py /src/pyproject.toml ${STREAMER:+"runai-model-streamer[gcs,s3]>=0.15.7"} \
        > /tmp/dependencies.txt && \
    PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install -c /src/constraints.txt -r /tmp/dependencies.txt && \
    rm /tmp/dependencies.txt
RUN --mount=type=bind,rw,target=/src --mount=type=cache,target=/root/.cache/pip \
    PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --no-deps /src
COPY --chmod=755 deploy/images/answers /usr/local/bin/answers
# Caches of vLLM, its compilers and the hub are below HOME: /tmp, or a volume at /cache.
ENV HOME=/tmp PYTHONUNBUFFERED=1 TIL_METRICS_HOST=0.0.0.0 TIL_METRICS_PORT=9100
USER 10001:10001
WORKDIR /tmp
EXPOSE 9100
# Loading a model takes minutes.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20m --retries=3 CMD ["answers", "9100/readyz"]
# No shell and no entry point of the base image: SIGTERM must reach Celery directly.
ENTRYPOINT []
CMD ["python3", "-m", "worker"]

FROM worker AS weights-download
ARG MODEL
ARG MODEL_REVISION
RUN --mount=type=secret,id=hf_token,uid=10001 \
    --mount=type=bind,source=deploy/images/download.py,target=/src/download.py \
    HF_TOKEN_PATH=/run/secrets/hf_token python3 /src/download.py "${MODEL}" "${MODEL_REVISION}" /weights

FROM worker AS weights-folder
COPY --chown=10001:10001 weights /weights

# hadolint ignore=DL3006
FROM weights-${WEIGHTS} AS weights
RUN python3 -m worker.engines.weights /weights

FROM worker AS worker-with-weights
COPY --from=weights /weights /weights
ENV TIL_MODEL=/weights HF_HUB_OFFLINE=1
