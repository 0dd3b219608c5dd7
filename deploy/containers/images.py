"""Builds every image and checks it: size, user, command, labels, and that no secret is in it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from deploy.containers.engine import STAND_IN, Broken, Engine

VERSION = "check"
API, WORKER = f"til-queue-api:{VERSION}", f"til-queue-worker:{VERSION}"
WITH_WEIGHTS = f"{WORKER}-weights"
SLIM_BASE_BYTES = 125_000_000
"""Size of python:3.13-slim, unpacked."""
API_BYTES = 300_000_000
CONFINED = ("--rm", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--network", "none")  # noqa: S108
CHUNK_BYTES = 8 << 20


def build(engine: Engine, folder: Path) -> None:
    """Build api, worker (on a Python base, without vLLM) and worker-with-weights from `folder`."""
    weights = folder / "weights"
    weights.mkdir()
    (weights / "model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    base = f"BASE={STAND_IN if engine.stand_ins else 'python:3.13-slim'}"
    api = ["--file", "deploy/images/api.Dockerfile", *(["--build-arg", base] if engine.stand_ins else [])]
    worker = ["--file", "deploy/images/worker.Dockerfile", "--build-arg", base, "--build-arg", "STREAMER="]
    common = ["--quiet", "--network", "host", "--build-arg", f"VERSION={VERSION}"]
    with_weights = ["--target", "worker-with-weights", "--build-arg", "WEIGHTS=folder"]
    engine.docker("build", *common, *api, "--tag", API, ".", folder=folder)
    engine.docker("build", *common, *worker, "--target", "worker", "--tag", WORKER, ".", folder=folder)
    engine.docker("build", *common, *worker, *with_weights, "--tag", WITH_WEIGHTS, ".", folder=folder)


def check(engine: Engine, secrets: dict[str, str]) -> str:
    """Check the images and return one line about them. Raises Broken."""
    for image, command in ((API, "api"), (WORKER, "worker"), (WITH_WEIGHTS, "worker")):
        _check_config(engine, image, command)
        _find_secrets(engine, image, secrets)
    weights = _inside(engine, WITH_WEIGHTS, "print(open('/weights/weights.sha256.json').read())")
    if "model.safetensors" not in weights:
        raise Broken(f"the digest of the weights is not in {WITH_WEIGHTS}: {weights}")
    size = _bytes(engine, API)
    if engine.stand_ins:
        size += SLIM_BASE_BYTES - _bytes(engine, STAND_IN)
    if size > API_BYTES:
        raise Broken(f"{API} has {size / 1e6:.0f} MB on python:3.13-slim.")
    return f"api, worker, worker-with-weights built; api {size / 1e6:.0f} MB on python:3.13-slim"


def _bytes(engine: Engine, image: str) -> int:
    return int(engine.docker("image", "inspect", "--format", "{{.Size}}", image))


def _check_config(engine: Engine, image: str, command: str) -> None:
    """Raises Broken if user, command, health check or labels are wrong."""
    facts: dict[str, Any] = json.loads(engine.docker("image", "inspect", image))[0]["Config"]
    expected = {"User": "10001:10001", "Cmd": ["python3", "-m", command], "Entrypoint": None}
    found = {name: facts.get(name) or None for name in expected}
    health = (facts.get("Healthcheck") or {}).get("Test", [])
    if found != expected or health[:2] != ["CMD", "answers"]:
        raise Broken(f"{image}: {found}, health check {health}")
    if facts["Labels"]["org.opencontainers.image.version"] != VERSION:
        raise Broken(f"{image}: labels {facts['Labels']}")
    user_id = _inside(
        engine, image, f"import os, {command}.settings; open('/tmp/x', 'w'); print(os.getuid())"
    )
    if user_id != "10001":
        raise Broken(f"{image} runs as {user_id}")


def _inside(engine: Engine, image: str, program: str) -> str:
    """The output of a Python program in a container without capabilities, network or a writable root."""
    return engine.docker("run", *CONFINED, image, "python3", "-c", program)


def _find_secrets(engine: Engine, image: str, secrets: dict[str, str]) -> None:
    """Raises Broken if a secret of the checkout is in the image's files or in its history."""
    history = engine.docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image).encode()
    container = engine.docker("create", image)
    export = subprocess.Popen(  # noqa: S603 - our own arguments
        ["docker", "export", container],  # noqa: S607 - from PATH
        env=os.environ | engine.environment,
        stdout=subprocess.PIPE,
    )
    values = {name: value.encode() for name, value in secrets.items()}
    try:
        assert export.stdout  # noqa: S101 - for mypy
        before = history
        while read := export.stdout.read(CHUNK_BYTES):
            found = [name for name, value in values.items() if value in before + read]
            if found:
                raise Broken(f"{image} holds {found}")
            before = read[-256:]
    finally:
        export.kill()
        export.wait()
        engine.docker("rm", container)
