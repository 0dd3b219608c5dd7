"""Services that can't run in the check, for want of a GPU or of their image: their containers are created."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from deploy.containers.composition import EVERY_PROFILE, Composition
from deploy.containers.engine import Broken
from deploy.containers.images import WITH_WEIGHTS, WORKER

NETWORKS = {
    "worker-gpu": {"data", "default"},
    "triton": {"default"},
    "dcgm-exporter": {"default"},
    "grafana": {"default"},
    "elasticsearch": {"logs"},
    "filebeat": {"logs"},
    "kibana": {"logs", "default"},
    "logging-setup": {"logs"},
}
"""By service, the networks that it joins."""
WITH_GPU = {"worker-gpu", "triton", "dcgm-exporter"}
WRITABLE = {"elasticsearch", "kibana"}
IN_IMAGE = {"TIL_WEIGHTS": "folder"}
"""The worker's image has the weights in it."""
SAFETENSORS = b"\x02\0\0\0\0\0\0\0{}"
"""A valid file without tensors."""


def build_with_weights(composition: Composition) -> None:
    """Build the worker with the weights of a folder as an operator does, by compose."""
    weights = composition.folder / "weights"
    weights.mkdir()
    (weights / "model.safetensors").write_bytes(SAFETENSORS)
    composition.compose("--profile", "gpu", "build", "--quiet", "worker-gpu", variables=IN_IMAGE)


def created(composition: Composition) -> str:
    """Create and check the containers, which needs all secrets and networks. Raises Broken."""
    _check_images(composition)
    (composition.folder / "models" / "triton").mkdir(parents=True)
    create = (*EVERY_PROFILE, "create", "--no-build", "--no-recreate", *NETWORKS)
    composition.compose(*create, variables=IN_IMAGE)
    for service in NETWORKS:
        (container,) = composition.containers(service)
        if faults := _faults(service, container, composition.name):
            raise Broken(f"{service}: {'; '.join(faults)}")
    return f"{', '.join(NETWORKS)} created, with their secrets, mounts and networks"


def _check_images(composition: Composition) -> None:
    """The GPU worker's image and model, without weights in it and with them, pulled or built."""
    for variables, image, model in (
        ({}, WORKER, ""),
        (IN_IMAGE, WITH_WEIGHTS, "/weights"),
        ({"TIL_MODEL": "org/name", "TIL_REGISTRY": "a/b"}, f"a/b/{WORKER}", "org/name"),
    ):
        rendered = composition.compose(*EVERY_PROFILE, "config", "--format", "json", variables=variables)
        worker = json.loads(rendered)["services"]["worker-gpu"]
        found = (worker["image"], worker["environment"]["TIL_MODEL"])
        if found != (image, model):
            raise Broken(f"worker-gpu with {variables}: {found}")


def _faults(service: str, container: dict[str, Any], project: str) -> list[str]:
    """What is not as the compose files promise."""
    host, faults = container["HostConfig"], list[str]()
    networks = {name.removeprefix(f"{project}_") for name in container["NetworkSettings"]["Networks"]}
    if networks != NETWORKS[service]:
        faults.append(f"networks {networks}")
    if host["ReadonlyRootfs"] == (service in WRITABLE) or host["CapDrop"] != ["ALL"]:
        faults.append("not confined")
    if bool(host["DeviceRequests"]) != (service in WITH_GPU):
        faults.append(f"devices {host['DeviceRequests']}")
    mounted = [Path(one["Source"]) for one in container["Mounts"] if one["Type"] == "bind"]
    faults += [f"{source} is missing" for source in mounted if _is_missing(source)]
    if service == "worker-gpu" and "TIL_MODEL=/weights" not in container["Config"]["Env"]:
        faults.append("it does not load the weights in its image")
    return faults


def _is_missing(source: Path) -> bool:
    """In the place of a file or folder that is not there Docker makes an empty folder."""
    return not source.exists() or (source.is_dir() and not any(source.iterdir()))
