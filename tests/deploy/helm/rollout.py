"""Rules for start, upgrade, eviction and termination of pods. Each check returns the violations."""

from __future__ import annotations

from tests.deploy.helm.chart import Object, component, containers, named, of_kind, pods

SPOT_SECONDS = 15
"""Time from SIGTERM to SIGKILL on a spot node of GKE."""
EXIT_SECONDS = 3
"""After the end of its drain, in which a worker that hangs exits: it does so after 2 s."""


def upgrades(found: list[Object]) -> list[str]:
    """Workers: old pod first, one at a time. Api and steward: new pod first."""
    wrong = []
    for one in of_kind(found, "Deployment"):
        name, strategy = one["metadata"]["name"], one["spec"].get("strategy", {}).get("rollingUpdate", {})
        expected = {"worker": (0, 1), "api": (1, 0), "steward": (1, 0)}.get(component(one))
        if expected and (strategy.get("maxSurge"), strategy.get("maxUnavailable")) != expected:
            wrong.append(f"{name}: {strategy}")
    return wrong


def endings(found: list[Object]) -> list[str]:
    """The grace period is the drain and EXIT_SECONDS or more; both fit into SPOT_SECONDS on spot nodes."""
    wrong = []
    for one in of_kind(found, "Deployment"):
        pod = one["spec"]["template"]["spec"]
        name, main = one["metadata"]["name"], pod["containers"][0]
        environment = {entry["name"]: entry.get("value") for entry in main.get("env", [])}
        before = main.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        drain = int(environment.get("TIL_DRAIN_SECONDS", 2))
        needed = before + drain + EXIT_SECONDS
        if pod.get("terminationGracePeriodSeconds", 30) < needed:
            wrong.append(f"{name}: needs {needed} s to end")
        if _on_spot(pod, found) and needed > SPOT_SECONDS:
            wrong.append(f"{name}: needs {needed} s to end on spot nodes")
    return wrong


def probes(found: list[Object]) -> list[str]:
    """The probes have these paths, and a worker may load for 20 minutes."""
    wrong = []
    for one in of_kind(found, "Deployment"):
        name, kind = one["metadata"]["name"], component(one)
        main = one["spec"]["template"]["spec"]["containers"][0]
        paths = {
            probe: main.get(f"{probe}Probe", {}).get("httpGet", {}).get("path")
            for probe in ("startup", "readiness", "liveness")
        }
        if paths != PROBES[kind]:
            wrong.append(f"{name}: {paths}")
        start = main.get("startupProbe", {})
        if kind == "worker" and start.get("periodSeconds", 0) * start.get("failureThreshold", 0) < 1200:
            wrong.append(f"{name}: may load for less than 20 minutes")
    return wrong


PROBES = {
    "api": {"startup": "/readyz", "readiness": "/healthz", "liveness": "/healthz"},
    "worker": {"startup": "/readyz", "readiness": "/readyz", "liveness": "/healthz"},
    "steward": {"startup": None, "readiness": "/readyz", "liveness": "/healthz"},
    "flower": {"startup": None, "readiness": "/healthcheck", "liveness": "/healthcheck"},
}


def budgets(found: list[Object]) -> list[str]:
    """Each Deployment but Flower has one disruption budget with maxUnavailable 1."""
    wrong = []
    budgets = of_kind(found, "PodDisruptionBudget")
    for one in of_kind(found, "Deployment"):
        labels = one["spec"]["template"]["metadata"]["labels"].items()
        own = [b["spec"] for b in budgets if b["spec"]["selector"]["matchLabels"].items() <= labels]
        if component(one) != "flower" and [spec.get("maxUnavailable") for spec in own] != [1]:
            wrong.append(f"{one['metadata']['name']}: {own}")
    return wrong


def placement(found: list[Object]) -> list[str]:
    """Pods spread over zones and nodes, have one GPU only if needed, and an existing priority class."""
    wrong = []
    classes = {one["metadata"]["name"] for one in of_kind(found, "PriorityClass")}
    for one in of_kind(found, "Deployment"):
        name, pod = one["metadata"]["name"], one["spec"]["template"]["spec"]
        keys = [spread["topologyKey"] for spread in pod.get("topologySpreadConstraints", [])]
        if component(one) != "flower" and sorted(keys) != [
            "kubernetes.io/hostname",
            "topology.kubernetes.io/zone",
        ]:
            wrong.append(f"{name}: spreads over {keys}")
        if pod.get("priorityClassName") not in classes:
            wrong.append(f"{name}: priority class {pod.get('priorityClassName')}")
        wrong += [f"{name}: {problem}" for problem in _gpu(pod)]
    return wrong


def _gpu(pod: Object) -> list[str]:
    amounts = [one.get("resources", {}).get("limits", {}).get("nvidia.com/gpu", 0) for one in containers(pod)]
    tolerated = any(one.get("key") == "nvidia.com/gpu" for one in pod.get("tolerations", []))
    if sum(amounts) == 0:
        return ["tolerates GPU nodes without a GPU"] if tolerated or pod.get("nodeSelector") else []
    wrong = [] if sum(amounts) == 1 else [f"{sum(amounts)} GPUs"]
    if not tolerated:
        wrong.append("does not tolerate the taint of GPU nodes")
    selected = set(pod.get("nodeSelector", {}))
    if not selected & {"cloud.google.com/gke-accelerator", "cloud.google.com/compute-class"}:
        wrong.append("does not select GPU nodes")
    return wrong


def drivers(found: list[Object]) -> list[str]:
    """Containers with a GPU have GKE's driver first in LD_LIBRARY_PATH."""
    return [
        f"{name}: {one['name']} lacks the driver's libraries"
        for name, pod in pods(found).items()
        for one in containers(pod)
        if one.get("resources", {}).get("limits", {}).get("nvidia.com/gpu")
        and not any(DRIVER in word for word in one["command"])
    ]


DRIVER = "export LD_LIBRARY_PATH=/usr/local/nvidia/lib64"


def _on_spot(pod: Object, found: list[Object]) -> bool:
    wanted = pod.get("nodeSelector", {}).get("cloud.google.com/compute-class")
    if not wanted:
        return bool(pod.get("nodeSelector", {}).get("cloud.google.com/gke-spot"))
    return any(rule["spot"] for rule in named(found, "ComputeClass", wanted)["spec"]["priorities"])


def sidecars(found: list[Object]) -> list[str]:
    """Init containers are sidecars: restartPolicy Always, with a startup probe."""
    return [
        f"{name}: {one['name']}"
        for name, pod in pods(found).items()
        for one in pod.get("initContainers", [])
        if one.get("restartPolicy") != "Always" or "startupProbe" not in one
    ]
