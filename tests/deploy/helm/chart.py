"""The chart, the value sets that are checked in, and what each renders to."""

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
"""Of Kubernetes. No template asks which: what is rendered has to suit all of them."""
RELEASE = "til-queue"
NAMESPACE = "til"


@cache
def chart() -> Chart:
    """The chart, loaded once."""
    return Chart.load(CHART)


def values(name: str) -> Values:
    """One of the value sets, a copy of its own."""
    loaded = yaml.safe_load((ROOT / "deploy" / "helm" / "values" / f"{name}.yaml").read_text())
    assert isinstance(loaded, dict)
    return loaded


def render(given: Values, namespace: str = NAMESPACE) -> dict[str, str]:
    """Each template's text, by its path in the chart. Raises HelmError where values or a template refuse."""
    files: dict[str, str] = chart().render(given, name=RELEASE, namespace=namespace)
    prefix = "til-queue/templates/"
    return {name.removeprefix(prefix): text for name, text in sorted(files.items())}


def parse(files: dict[str, str]) -> list[Object]:
    """All objects of a render, hooks and the test's pod included."""
    documents = [yaml.safe_load_all(text) for name, text in files.items() if name.endswith(".yaml")]
    return [found for document in documents for found in document if found]


def objects(name: str) -> list[Object]:
    """What a value set renders to; fresh ones, so that a test may break them."""
    return copy.deepcopy(_objects(name))


def of_kind(found: list[Object], *kinds: str) -> list[Object]:
    """Those of one or more kinds."""
    return [one for one in found if one["kind"] in kinds]


def named(found: list[Object], kind: str, name: str) -> Object:
    """The one of that kind whose name ends so."""
    (one,) = [one for one in of_kind(found, kind) if one["metadata"]["name"].endswith(name)]
    return one


def pods(found: list[Object]) -> dict[str, Object]:
    """The specification of every pod, by kind and name."""
    specs = {}
    for one in of_kind(found, "Deployment", "Job", "Pod"):
        spec = one["spec"] if one["kind"] == "Pod" else one["spec"]["template"]["spec"]
        specs[f"{one['kind']}/{one['metadata']['name']}"] = spec
    return specs


def containers(pod: Object) -> list[Object]:
    """All containers of a pod, sidecars included."""
    return [*pod.get("initContainers", []), *pod["containers"]]


def component(one: Object) -> str:
    """api, worker, steward, flower, migrate or test."""
    return str(one["metadata"]["labels"]["app.kubernetes.io/component"])


@cache
def _objects(name: str) -> list[Object]:
    return parse(render(values(name)))
