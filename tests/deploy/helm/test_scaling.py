"""The autoscalers of workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from helm_python import HelmError

from tests.deploy.helm import scaling
from tests.deploy.helm.chart import SETS, VERSIONS, Object, named, objects, of_kind, parse, render, values
from tests.deploy.helm.validity import problems

Check = Callable[[list[Object]], list[str]]
CHECKS: list[Check] = [
    scaling.triggers,
    scaling.hpas,
    scaling.speed,
    scaling.targets,
    scaling.authentication,
]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", SETS)
def test_there_are_no_violations(name: str, check: Check) -> None:
    assert check(objects(name)) == []


def keda(found: list[Object]) -> Any:
    """The spec of gemma's ScaledObject."""
    return named(found, "ScaledObject", "-gemma")["spec"]


def trigger(found: list[Object]) -> Any:
    """The metadata of its trigger."""
    return keda(found)["triggers"][0]["metadata"]


def external(found: list[Object]) -> Any:
    """The external metric of gemma's HPA."""
    return named(found, "HorizontalPodAutoscaler", "-gemma")["spec"]["metrics"][0]["external"]


def behavior(found: list[Object]) -> Any:
    """The scaling behaviour of KEDA's HPA."""
    return keda(found)["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]


FAULTS: list[tuple[Check, str, Callable[[list[Object]], Any]]] = [
    (scaling.triggers, "l4-keda", lambda found: trigger(found).update(ignoreNullValues="true")),
    (scaling.triggers, "l4-keda", lambda found: trigger(found).pop("ignoreNullValues")),
    (scaling.triggers, "l4-keda", lambda found: trigger(found).update(threshold="2")),
    (scaling.triggers, "l4-keda", lambda found: trigger(found).update(query="max(til_workers_desired{")),
    (scaling.triggers, "l4-keda", lambda found: trigger(found).update(query="sum(til_workers_desired)")),
    (scaling.triggers, "l4-keda", lambda found: keda(found)["triggers"][0].update(metricType="Value")),
    (scaling.triggers, "l4-keda", lambda found: keda(found)["fallback"].update(behavior="static")),
    (scaling.triggers, "l4-keda", lambda found: keda(found).pop("fallback")),
    (scaling.hpas, "l4-hpa", lambda found: external(found)["target"].update(averageValue="10")),
    (scaling.hpas, "l4-hpa", lambda found: external(found)["metric"].update(name="til_workers_desired")),
    (scaling.hpas, "l4-hpa", lambda found: external(found)["metric"].pop("selector")),
    (scaling.hpas, "l4-hpa", lambda found: found.remove(named(found, "Rules", "-scaling"))),
    (scaling.speed, "l4-keda", lambda found: behavior(found).pop("scaleDown")),
    (scaling.speed, "l4-keda", lambda found: behavior(found)["scaleDown"]["policies"][0].update(value=4)),
    (
        scaling.speed,
        "l4-keda",
        lambda found: behavior(found)["scaleUp"].update(stabilizationWindowSeconds=60),
    ),
    (scaling.targets, "l4-keda", lambda found: keda(found)["scaleTargetRef"].update(name="til-queue-worker")),
    (
        scaling.targets,
        "l4-keda",
        lambda found: named(found, "Deployment", "-gemma")["spec"].update(replicas=1),
    ),
    (
        scaling.authentication,
        "l4-keda",
        lambda found: keda(found)["triggers"][0].update(authenticationRef={"name": "other"}),
    ),
]


@pytest.mark.parametrize(("check", "name", "break_it"), FAULTS)
def test_a_fault_is_found(check: Check, name: str, break_it: Callable[[list[Object]], Any]) -> None:
    found = objects(name)
    break_it(found)
    assert check(found) != []


def test_each_alias_has_an_autoscaler() -> None:
    found = of_kind(objects("l4-hpa"), "HorizontalPodAutoscaler")
    assert sorted(one["spec"]["scaleTargetRef"]["name"] for one in found) == [
        "til-queue-api",
        "til-queue-worker-gemma",
        "til-queue-worker-small",
    ]


def test_an_hpa_can_scale_to_zero_with_autoscaling_metric() -> None:
    given = values("l4-hpa") | {"scaling": {"by": "hpa", "hpa": {"metric": "autoscalingMetric"}}}
    given["workers"]["gemma"]["scaling"] = {"minReplicas": 0}
    found = parse(render(given))
    assert named(found, "HorizontalPodAutoscaler", "-gemma")["spec"]["minReplicas"] == 0
    assert [wrong for check in CHECKS for wrong in check(found)] == []
    assert [wrong for one in found for wrong in problems(one, VERSIONS[-1])] == []


def test_an_hpa_can_not_scale_to_zero_otherwise() -> None:
    given = values("l4-hpa")
    given["workers"]["gemma"]["scaling"] = {"minReplicas": 0}
    with pytest.raises(HelmError, match="scale to zero only with"):
        render(given)


def test_the_notes_warn_of_zero_workers_with_keda() -> None:
    assert "WARNING: at 0 workers" in render(values("triton"))["NOTES.txt"]
    assert "WARNING" not in render(values("l4-keda"))["NOTES.txt"]


def test_the_notes_warn_if_metrics_are_not_scraped() -> None:
    given = values("l4-keda") | {"monitoring": {"by": "none"}}
    assert "does not configure Prometheus" in render(given)["NOTES.txt"]


def test_the_labels_of_the_query_can_be_set() -> None:
    given = values("l4-keda")
    given["scaling"]["labels"] = 'cluster="a"'
    query = keda(parse(render(given)))["triggers"][0]["metadata"]["query"]
    assert query == 'max(til_workers_desired{model="gemma",cluster="a"})'
