"""The chart, the checked-in value sets, and their rendered objects."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from helm_python import Chart

Values = dict[str, Any]
Object = dict[str, Any]
"""A Kubernetes object."""

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy" / "helm" / "til-queue"
SETS = sorted(path.stem for path in (ROOT / "deploy" / "helm" / "values").glob("*.yaml"))
VERSIONS = ["1.31", "1.32", "1.33", "1.34", "1.35"]
"""Kubernetes versions. Templates do not depend on them: the objects must be valid in all."""
RELEASE = "til-queue"
NAMESPACE = "til"


@cache
def chart() -> Chart:
    """The chart, loaded once."""
    return Chart.load(CHART)


def values(name: str) -> Values:
    """A fresh copy of a value set."""
    loaded = yaml.safe_load((ROOT / "deploy" / "helm" / "values" / f"{name}.yaml").read_text())
    assert isinstance(loaded, dict)
    return loaded


def render(given: Values, namespace: str = NAMESPACE) -> dict[str, str]:
    """Rendered templates by path in the chart. Raises HelmError for invalid values."""
    files: dict[str, str] = chart().render(given, name=RELEASE, namespace=namespace)
    prefix = "til-queue/templates/"
    return {name.removeprefix(prefix): text for name, text in sorted(files.items())}


def parse(files: dict[str, str]) -> list[Object]:
    """All rendered objects, hooks and the test's pod included."""
    documents = [yaml.safe_load_all(text) for name, text in files.items() if name.endswith(".yaml")]
    return [found for document in documents for found in document if found]


def objects(name: str) -> list[Object]:
    """A fresh copy of a value set's objects, which a test may change."""
    return copy.deepcopy(_objects(name))


def of_kind(found: list[Object], *kinds: str) -> list[Object]:
    """The objects of these kinds."""
    return [one for one in found if one["kind"] in kinds]


def named(found: list[Object], kind: str, name: str) -> Object:
    """The only object of that kind whose name ends with `name`."""
    (one,) = [one for one in of_kind(found, kind) if one["metadata"]["name"].endswith(name)]
    return one


def pods(found: list[Object]) -> dict[str, Object]:
    """The spec of every pod, by kind and name."""
    specs = {}
    for one in of_kind(found, "Deployment", "Job", "Pod"):
        spec = one["spec"] if one["kind"] == "Pod" else one["spec"]["template"]["spec"]
        specs[f"{one['kind']}/{one['metadata']['name']}"] = spec
    return specs


def pod_of(found: list[Object], ending: str) -> Any:
    """The pod spec of the Deployment whose name ends so."""
    return named(found, "Deployment", ending)["spec"]["template"]["spec"]


def main_of(found: list[Object], ending: str) -> Any:
    """Its only container besides sidecars."""
    (one,) = pod_of(found, ending)["containers"]
    return one


def containers(pod: Object) -> list[Object]:
    """All containers of a pod, sidecars included."""
    return [*pod.get("initContainers", []), *pod["containers"]]


def component(one: Object) -> str:
    """api, worker, steward, flower, migrate or test."""
    return str(one["metadata"]["labels"]["app.kubernetes.io/component"])


@cache
def _objects(name: str) -> list[Object]:
    return parse(render(values(name)))
