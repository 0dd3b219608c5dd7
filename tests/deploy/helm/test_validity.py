"""Every object is strictly valid in every supported Kubernetes version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.deploy.helm.chart import SETS, VERSIONS, Object, named, objects
from tests.deploy.helm.validity import SCHEMAS, problems

Break = Callable[[Object], Any]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", SETS)
def test_every_object_is_valid(name: str, version: str) -> None:
    found = {f"{one['kind']}/{one['metadata']['name']}": problems(one, version) for one in objects(name)}
    assert {what: wrong for what, wrong in found.items() if wrong} == {}
    assert len(found) == len(objects(name)), "two objects have the same name"


def test_every_schema_of_a_custom_resource_is_used() -> None:
    kinds = {one["kind"] for name in SETS for one in objects(name)}
    by_other_values = {"AutoscalingMetric"}
    assert {path.stem for path in SCHEMAS.glob("*.json")} - {"metadata"} - by_other_values <= kinds


FAULTS: list[tuple[str, str, str, Break]] = [
    ("l4-keda", "Deployment", "-api", lambda one: one["spec"].update(replica=2)),
    ("l4-keda", "Deployment", "-gemma", lambda one: one["spec"]["template"]["spec"].update(gpu=1)),
    ("l4-keda", "Service", "-api", lambda one: one["spec"]["ports"][0].update(port="80")),
    ("l4-keda", "NetworkPolicy", "-deny", lambda one: one["spec"].update(policyType=["Ingress"])),
    ("l4-hpa", "HorizontalPodAutoscaler", "-gemma", lambda one: one["spec"].pop("maxReplicas")),
    ("l4-keda", "ScaledObject", "-gemma", lambda one: one["spec"].update(maxReplicas=3)),
    (
        "l4-keda",
        "ScaledObject",
        "-gemma",
        lambda one: one["spec"]["triggers"][0]["metadata"].update(threshold=1),
    ),
    ("l4-keda", "ScaledObject", "-gemma", lambda one: one["spec"]["fallback"].update(behavior="IfHigher")),
    (
        "l4-keda",
        "TriggerAuthentication",
        "-prometheus",
        lambda one: one["spec"].update(podIdentity={"provider": "gke"}),
    ),
    ("l4-keda", "ManagedCertificate", "-api", lambda one: one["spec"].update(domains=["*.example.com"])),
    ("l4-keda", "FrontendConfig", "-api", lambda one: one["spec"].update(redirect=True)),
    ("l4-keda", "BackendConfig", "-api", lambda one: one["spec"].update(timeoutSec="3600")),
    ("l4-keda", "BackendConfig", "-api", lambda one: one["spec"]["healthCheck"].update(path="/healthz")),
    ("l4-keda", "ComputeClass", "-gpu", lambda one: one["spec"].update(whenUnsatisfiable="Wait")),
    (
        "l4-keda",
        "ComputeClass",
        "-gpu",
        lambda one: one["spec"]["priorities"][0].update(locationPolicy="ANY"),
    ),
    ("l4-keda", "PodMonitoring", "-api", lambda one: one["spec"]["endpoints"][0].update(interval="15")),
    ("l4-keda", "SecretProviderClass", "-api", lambda one: one["spec"].update(provider="gcp")),
    ("l4-hpa", "Rules", "-scaling", lambda one: one["spec"]["groups"][0]["rules"][0].update(record="a-b")),
    ("triton", "ServiceMonitor", "til-queue", lambda one: one["spec"].update(podMetricsEndpoints=[])),
    ("triton", "ServiceMonitor", "til-queue", lambda one: one["metadata"].update(labels={"a": 1})),
]


@pytest.mark.parametrize(("name", "kind", "ending", "break_it"), FAULTS)
@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
def test_a_fault_is_found(name: str, kind: str, ending: str, break_it: Break, version: str) -> None:
    one = named(objects(name), kind, ending)
    assert problems(one, version) == []
    break_it(one)
    assert problems(one, version) != []


def test_an_unknown_kind_is_found() -> None:
    one = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledJob", "metadata": {"name": "a"}, "spec": {}}
    assert problems(one, VERSIONS[-1]) != []
