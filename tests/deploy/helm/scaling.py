"""Rules for the autoscalers. Each check returns the violations."""

from __future__ import annotations

from promql_parser import parse

from tests.deploy.helm.chart import Object, of_kind


def triggers(found: list[Object]) -> list[str]:
    """KEDA follows til_workers_desired of the workers' model, and a missing series is not 0."""
    wrong = []
    for one in of_kind(found, "ScaledObject"):
        name, spec = one["metadata"]["name"], one["spec"]
        (trigger,) = spec["triggers"]
        metadata = trigger["metadata"]
        expected = {"threshold": "1", "activationThreshold": "0", "ignoreNullValues": "false"}
        if trigger["metricType"] != "AverageValue" or not expected.items() <= metadata.items():
            wrong.append(f"{name}: {trigger}")
        if (problem := _query_problem(metadata["query"], one)) is not None:
            wrong.append(f"{name}: {problem}")
        fallback = spec.get("fallback", {})
        if fallback.get("behavior") != "currentReplicasIfHigher" or fallback.get("replicas", 0) < 1:
            wrong.append(f"{name}: falls back to {fallback}")
    return wrong


def hpas(found: list[Object]) -> list[str]:
    """An HPA of workers follows exactly one existing series, because it adds up several."""
    wrong = []
    recorded = {
        f"prometheus.googleapis.com|{rule['record']}|gauge": rule["expr"]
        for rules in of_kind(found, "Rules")
        for group in rules["spec"]["groups"]
        for rule in group["rules"]
    } | {
        f"autoscaling.gke.io|{one['metadata']['name']}|{metric['promql']['name']}": metric["promql"]["query"]
        for one in of_kind(found, "AutoscalingMetric")
        for metric in one["spec"]["metrics"]
    }
    for one in _of_workers(found, "HorizontalPodAutoscaler"):
        (metric,) = one["spec"]["metrics"]
        external = metric["external"]
        query = recorded.get(external["metric"]["name"], "")
        if external["target"] != {"type": "AverageValue", "averageValue": "1"} or not query.startswith("max"):
            wrong.append(f"{one['metadata']['name']}: {external}")
        of_model = external["metric"].get("selector", {}).get("matchLabels", {}).get("metric.labels.model")
        if of_model != _model(one) and f'model="{_model(one)}"' not in query:
            wrong.append(f"{one['metadata']['name']}: follows the model {of_model}")
    return wrong


def speed(found: list[Object]) -> list[str]:
    """Scale-out at once; scale-in with a window of at least 5 minutes, one worker per 5 minutes at most."""
    wrong = []
    for one in _of_workers(found, "ScaledObject", "HorizontalPodAutoscaler"):
        spec = one["spec"]
        advanced = spec.get("advanced", {}).get("horizontalPodAutoscalerConfig", {})
        behavior = spec.get("behavior") or advanced.get("behavior", {})
        down, up = behavior.get("scaleDown", {}), behavior.get("scaleUp", {})
        slow = down.get("stabilizationWindowSeconds", 0) >= 300 and all(
            policy["type"] == "Pods" and policy["value"] == 1 and policy["periodSeconds"] >= 300
            for policy in down.get("policies", [{"type": "Percent"}])
        )
        if not slow or up.get("stabilizationWindowSeconds") != 0:
            wrong.append(f"{one['metadata']['name']}: {behavior}")
    return wrong


def targets(found: list[Object]) -> list[str]:
    """Each Deployment has either one autoscaler or `replicas`."""
    wrong = []
    scalers = of_kind(found, "ScaledObject", "HorizontalPodAutoscaler")
    scaled = [one["spec"]["scaleTargetRef"]["name"] for one in scalers]
    deployments = {one["metadata"]["name"]: one["spec"] for one in of_kind(found, "Deployment")}
    wrong += [f"{name}: autoscaled but missing" for name in scaled if name not in deployments]
    for name, spec in deployments.items():
        if scaled.count(name) + ("replicas" in spec) != 1:
            wrong.append(f"{name}: {scaled.count(name)} autoscalers, replicas {spec.get('replicas')}")
    return wrong


def authentication(found: list[Object]) -> list[str]:
    """Each TriggerAuthentication that a trigger refers to exists."""
    existing = {one["metadata"]["name"] for one in of_kind(found, "TriggerAuthentication")}
    wanted = [
        trigger["authenticationRef"]["name"]
        for one in of_kind(found, "ScaledObject")
        for trigger in one["spec"]["triggers"]
        if "authenticationRef" in trigger
    ]
    return [name for name in wanted if name not in existing]


def _query_problem(query: str, one: Object) -> str | None:
    try:
        parse(query)
    except ValueError as error:
        return f"{query}: {error}"
    expected = f'max(til_workers_desired{{model="{_model(one)}",'
    return None if query.startswith(expected) else query


def _model(one: Object) -> str:
    return str(one["metadata"]["labels"].get("til-queue/model"))


def _of_workers(found: list[Object], *kinds: str) -> list[Object]:
    return [one for one in of_kind(found, *kinds) if "til-queue/model" in one["metadata"]["labels"]]
