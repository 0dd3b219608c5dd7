"""Start, upgrade, eviction and termination of pods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.deploy.helm import rollout
from tests.deploy.helm.chart import SETS, Object, named, objects, parse, render, values

Check = Callable[[list[Object]], list[str]]
CHECKS: list[Check] = [
    rollout.upgrades,
    rollout.endings,
    rollout.probes,
    rollout.budgets,
    rollout.placement,
    rollout.sidecars,
]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", SETS)
def test_there_are_no_violations(name: str, check: Check) -> None:
    assert check(objects(name)) == []


def worker(found: list[Object]) -> Any:
    """The pod spec of gemma's workers."""
    return named(found, "Deployment", "-gemma")["spec"]["template"]["spec"]


def main(found: list[Object]) -> Any:
    """Its container."""
    return worker(found)["containers"][0]


def surge(found: list[Object]) -> Any:
    """The strategy of their Deployment."""
    return named(found, "Deployment", "-gemma")["spec"]["strategy"]["rollingUpdate"]


FAULTS: list[tuple[Check, str, Callable[[list[Object]], Any]]] = [
    (rollout.upgrades, "l4-keda", lambda found: surge(found).update(maxSurge=1)),
    (rollout.upgrades, "l4-keda", lambda found: surge(found).pop("maxSurge")),
    (rollout.endings, "l4-keda", lambda found: worker(found).update(terminationGracePeriodSeconds=12)),
    (
        rollout.endings,
        "l4-hpa",
        lambda found: (
            worker(found).pop("terminationGracePeriodSeconds")
            and main(found).update(lifecycle={"preStop": {"sleep": {"seconds": 5}}})
        ),
    ),
    (
        rollout.endings,
        "l4-hpa",
        lambda found: worker(found).update(nodeSelector={"cloud.google.com/gke-spot": "true"}),
    ),
    (rollout.probes, "l4-keda", lambda found: main(found)["startupProbe"].update(failureThreshold=30)),
    (rollout.probes, "l4-keda", lambda found: main(found).pop("livenessProbe")),
    (rollout.budgets, "l4-hpa", lambda found: found.remove(named(found, "PodDisruptionBudget", "-small"))),
    (
        rollout.budgets,
        "l4-hpa",
        lambda found: named(found, "PodDisruptionBudget", "-api")["spec"].update(maxUnavailable=0),
    ),
    (rollout.placement, "l4-keda", lambda found: worker(found).pop("tolerations")),
    (rollout.placement, "l4-hpa", lambda found: worker(found).pop("nodeSelector")),
    (
        rollout.placement,
        "l4-hpa",
        lambda found: main(found)["resources"]["limits"].update({"nvidia.com/gpu": 2}),
    ),
    (rollout.placement, "l4-hpa", lambda found: found.remove(named(found, "PriorityClass", "-worker"))),
    (rollout.placement, "l4-hpa", lambda found: worker(found)["topologySpreadConstraints"].pop()),
    (rollout.sidecars, "triton", lambda found: worker(found)["initContainers"][0].pop("restartPolicy")),
]


@pytest.mark.parametrize(("check", "name", "break_it"), FAULTS)
def test_a_fault_is_found(check: Check, name: str, break_it: Callable[[list[Object]], Any]) -> None:
    found = objects(name)
    break_it(found)
    assert check(found) != []


def test_the_grace_period_grows_with_the_drain() -> None:
    given = values("l4-hpa")
    given["worker"] |= {"drainSeconds": 300, "preStopSeconds": 10, "marginSeconds": 20}
    found = parse(render(given))
    assert worker(found)["terminationGracePeriodSeconds"] == 330
    assert rollout.endings(found) == []


def test_a_long_drain_on_spot_nodes_is_found() -> None:
    given = values("l4-keda")
    given["workers"]["gemma"]["drainSeconds"] = 25
    assert rollout.endings(parse(render(given))) != []


def test_an_alias_overrides_only_its_own_values() -> None:
    given = values("l4-hpa")
    given["workers"]["small"] = {"weights": {"path": "b"}, "scaling": {"minReplicas": 0}, "engine": "vllm"}
    given["scaling"]["hpa"] = {"metric": "autoscalingMetric"}
    found = parse(render(given))
    limits = [named(found, "HorizontalPodAutoscaler", f"-{alias}")["spec"] for alias in ("gemma", "small")]
    assert [(one["minReplicas"], one["maxReplicas"]) for one in limits] == [(1, 4), (0, 4)]
