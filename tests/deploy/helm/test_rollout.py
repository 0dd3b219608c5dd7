"""Start, upgrade, eviction and termination of pods."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from helm_python import HelmValuesError

from tests.deploy.helm import rollout
from tests.deploy.helm.chart import (
    ROOT,
    SETS,
    Object,
    chart,
    main_of,
    named,
    objects,
    of_kind,
    parse,
    pod_of,
    render,
    values,
)

Check = Callable[[list[Object]], list[str]]
CHECKS: list[Check] = [
    rollout.upgrades,
    rollout.endings,
    rollout.probes,
    rollout.budgets,
    rollout.placement,
    rollout.drivers,
    rollout.sidecars,
]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", SETS)
def test_there_are_no_violations(name: str, check: Check) -> None:
    assert check(objects(name)) == []


def worker(found: list[Object]) -> Any:
    """The pod spec of gemma's workers."""
    return pod_of(found, "-gemma")


def main(found: list[Object]) -> Any:
    """Its container."""
    return main_of(found, "-gemma")


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
    (rollout.drivers, "l4-keda", lambda found: main(found).update(command=["python3", "-m", "worker"])),
    (rollout.drivers, "triton", lambda found: worker(found)["initContainers"][0].update(command=["python3"])),
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


@pytest.mark.parametrize("seconds", [25, 13])
def test_a_long_drain_on_spot_nodes_is_found(seconds: int) -> None:
    given = values("l4-keda")
    given["workers"]["gemma"]["drainSeconds"] = seconds
    assert rollout.endings(parse(render(given))) != []


def test_a_margin_too_short_for_a_worker_that_hangs_is_refused() -> None:
    given = values("l4-keda")
    given["workers"]["gemma"]["marginSeconds"] = rollout.EXIT_SECONDS - 1
    with pytest.raises(HelmValuesError, match="marginSeconds"):
        chart().validate_schema(given)


def test_a_worker_that_hangs_exits_within_that_margin() -> None:
    text = (ROOT / "worker" / "runtime.py").read_text()
    (seconds,) = re.findall(r"drain_seconds \+ (\d+), self\._exit_undrained", text)
    assert int(seconds) < rollout.EXIT_SECONDS


def steward(given: dict[str, Any]) -> list[dict[str, str]]:
    """TIL_COLD_START_SECONDS in the steward's environment."""
    main = main_of(parse(render(given)), "-steward")
    return [one for one in main["env"] if one["name"] == "TIL_COLD_START_SECONDS"]


def test_stewards_get_the_longest_cold_start_of_all_aliases() -> None:
    given = values("l4-hpa")
    given["worker"]["coldStartSeconds"] = 240
    given["workers"]["small"]["coldStartSeconds"] = 420
    assert [one["value"] for one in steward(given)] == ["420"]


@pytest.mark.parametrize("where", [("settings",), ("steward", "settings")])
def test_an_operators_own_setting_of_the_cold_start_wins(where: tuple[str, ...]) -> None:
    given: dict[str, Any] = values("l4-hpa") | {"settings": {}, "steward": {"settings": {}}}
    place = given
    for key in where:
        place = place[key]
    place["TIL_COLD_START_SECONDS"] = "99"
    assert [one["value"] for one in steward(given)] == ["99"]


@pytest.mark.parametrize(("own", "expected"), [(None, "{gke}"), ("/a:/b", "{gke}:/a:/b")])
def test_the_drivers_libraries_come_before_those_of_the_image(own: str | None, expected: str) -> None:
    command = main(objects("l4-keda"))["command"]
    assert command[3:] == ["python3", "-m", "worker"]
    ask = [*command[:3], sys.executable, "-c", "import os; print(os.environ['LD_LIBRARY_PATH'], os.getpid())"]
    environment = {"PATH": os.environ["PATH"]} | ({"LD_LIBRARY_PATH": own} if own else {})
    with subprocess.Popen(ask, env=environment, stdout=subprocess.PIPE, text=True) as process:
        printed, _ = process.communicate()
    assert printed.split() == [expected.format(gke="/usr/local/nvidia/lib64"), str(process.pid)]


def test_the_path_of_the_driver_can_be_left_out() -> None:
    given = values("l4-keda")
    given["worker"] = {"driverLibraries": ""}
    assert main(parse(render(given)))["command"] == ["python3", "-m", "worker"]


CLUSTER_WIDE = ["PriorityClass", "ComputeClass", "ClusterRole", "ClusterRoleBinding", "StorageClass"]


def test_releases_in_different_namespaces_share_no_cluster_scoped_object() -> None:
    long = "a-namespace-whose-name-has-all-of-the-sixty-three-characters-"
    names = [
        {(one["kind"], one["metadata"]["name"]) for one in of_kind(found, *CLUSTER_WIDE)}
        for where in ("til", "test", f"{long}aa", f"{long}ab")
        for found in [parse(render(values("l4-keda"), namespace=where))]
    ]
    assert [len(one) for one in names] == [3, 3, 3, 3]
    assert len(set.union(*names)) == 12
    assert max(len(name) for one in names for _, name in one) <= 63


def test_gpu_workers_use_the_compute_class_of_the_release() -> None:
    found = objects("l4-keda")
    made = named(found, "ComputeClass", "-gpu")["metadata"]["name"]
    assert worker(found)["nodeSelector"] == {"cloud.google.com/compute-class": made}
    given = values("l4-keda")
    given["workers"]["gemma"]["computeClass"] = "another"
    assert worker(parse(render(given)))["nodeSelector"] == {"cloud.google.com/compute-class": "another"}
    given["workers"] = {"gemma": {"engine": "outline"}}
    assert "nodeSelector" not in worker(parse(render(given))), "no GPU, no GPU node"


def test_an_alias_overrides_only_its_own_values() -> None:
    given = values("l4-hpa")
    given["workers"]["small"] = {"weights": {"path": "b"}, "scaling": {"minReplicas": 0}, "engine": "vllm"}
    given["scaling"]["hpa"] = {"metric": "autoscalingMetric"}
    found = parse(render(given))
    limits = [named(found, "HorizontalPodAutoscaler", f"-{alias}")["spec"] for alias in ("gemma", "small")]
    assert [(one["minReplicas"], one["maxReplicas"]) for one in limits] == [(1, 4), (0, 4)]
