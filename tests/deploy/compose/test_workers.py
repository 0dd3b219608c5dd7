"""The workers of the compose file as an operator's .env renders them: images, weights, Triton."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.deploy.compose.test_compose import COMPOSE, ROOT, SERVICES

EXAMPLE = (ROOT / "deploy" / "compose.env.example").read_text()
REGISTRY = "europe-west4-docker.pkg.dev/my-project/til"
INNERMOST = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:[-+])([^${}]*))?\})")


def render(text: str, values: dict[str, str]) -> str:
    """Compose's own rules for `$X`, `${X}`, `${X:-default}` and `${X:+other}`, nested."""

    def replace(found: re.Match[str]) -> str:
        value = values.get(found[1] or found[2], "")
        if found[3] == ":+":
            return found[4] if value else ""
        return value or found[4] or ""

    while INNERMOST.search(text):
        text = INNERMOST.sub(replace, text)
    return text


def service(name: str, **values: str) -> dict[str, Any]:
    """With compose.env.example as .env, and these values changed in it."""
    example = dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    text = COMPOSE.read_text().replace("$$", "")
    return dict(YAML(typ="safe").load(render(text, example | values))["services"][name])


def test_every_variable_of_the_example_is_used() -> None:
    texts = [path.read_text() for path in [COMPOSE, *(ROOT / "deploy" / "compose").glob("*.yml")]]
    used = set(re.findall(r"\$\{?([A-Z_]+)|^ +([A-Z_]+):$", "\n".join(texts), re.MULTILINE))
    names = set(re.findall(r"^([A-Z_]+)=", EXAMPLE, re.MULTILINE)) - {"COMPOSE_PROFILES"}
    assert names <= {a or b for a, b in used}


def test_without_a_registry_the_images_are_built_here() -> None:
    api, worker = service("api"), service("worker-gpu")
    assert (api["image"], worker["image"]) == ("til-queue-api:dev", "til-queue-worker:dev")
    assert worker["build"]["target"] == "worker"
    assert not worker["environment"]["TIL_MODEL"]
    assert service("worker-gpu", TIL_MODEL="org/name")["environment"]["TIL_MODEL"] == "org/name"


def test_pushed_images_have_the_names_that_the_build_script_gives_them() -> None:
    values = {"TIL_REGISTRY": REGISTRY, "TIL_VERSION": "v1.2.3"}
    for name in ("migrate", "api", "steward", "worker", "flower"):
        assert service(name, **values)["image"] == f"{REGISTRY}/til-queue-api:v1.2.3"
    assert service("worker-gpu", **values)["image"] == f"{REGISTRY}/til-queue-worker:v1.2.3"
    with_weights = service("worker-gpu", TIL_WEIGHTS="folder", **values)
    assert with_weights["image"] == f"{REGISTRY}/til-queue-worker:v1.2.3-weights"
    assert service("api", **values)["build"]["args"] == {"VERSION": "v1.2.3"}


@pytest.mark.parametrize("weights", ["download", "folder"])
def test_the_image_with_weights_is_built_with_its_arguments_and_loads_its_own(weights: str) -> None:
    values = {"TIL_WEIGHTS_MODEL": "org/name", "TIL_WEIGHTS_REVISION": "abc", "TIL_WEIGHTS": weights}
    worker = service("worker-gpu", **values)
    assert worker["build"]["target"] == "worker-with-weights"
    assert worker["build"]["args"].items() >= {
        ("WEIGHTS", weights),
        ("MODEL", "org/name"),
        ("MODEL_REVISION", "abc"),
    }
    assert worker["build"]["secrets"] == ["hf_token"]
    assert worker["environment"]["TIL_MODEL"] == "/weights"
    arguments = re.findall(r"^ARG (\w+)", (ROOT / worker["build"]["dockerfile"]).read_text(), re.MULTILINE)
    assert worker["build"]["args"].keys() <= set(arguments)


def test_triton_serves_where_the_example_says_and_its_worker_stops_before_it() -> None:
    triton = SERVICES["triton"]
    assert triton["entrypoint"] == ["python3", "/opt/tritonserver/python/openai/openai_frontend/main.py"]
    assert "--openai-port=9000" in triton["command"]
    assert "127.0.0.1:9000/health/ready" in triton["healthcheck"]["test"][-1]
    assert "TIL_OPENAI_URL=http://triton:9000/v1" in EXAMPLE
    worker = service("worker", TIL_ENGINE="openai", TIL_OPENAI_URL="http://triton:9000/v1")
    assert worker["environment"]["TIL_OPENAI_URL"] == "http://triton:9000/v1"
    assert worker["depends_on"]["triton"] == {"condition": "service_healthy", "required": False}
    assert "default" in worker["networks"]
    assert "networks" not in triton
    assert triton["user"] == "10001:10001"
