"""Rules for the network policies. Each check returns the violations."""

from __future__ import annotations

from tests.deploy.helm.chart import RELEASE, Object, component, of_kind

PRIVATE = {"10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"}
COMPONENTS = ("api", "worker", "steward", "flower", "migrate", "test")


def denied(found: list[Object]) -> list[str]:
    """The default for every pod of the release is deny, ingress and egress."""
    release_labels = {"app.kubernetes.io/name": "til-queue", "app.kubernetes.io/instance": RELEASE}
    denying = [
        one
        for one in of_kind(found, "NetworkPolicy")
        if one["spec"]["podSelector"] == {"matchLabels": release_labels}
        and set(one["spec"]["policyTypes"]) == {"Ingress", "Egress"}
        and not {"ingress", "egress"} & set(one["spec"])
    ]
    wrong = [] if denying else ["nothing is denied by default"]
    for one in of_kind(found, "Deployment", "Job", "Pod"):
        pod = one if one["kind"] == "Pod" else one["spec"]["template"]
        if not release_labels.items() <= pod["metadata"]["labels"].items():
            wrong.append(f"{one['metadata']['name']}: no policy selects it")
    return wrong


def ingress(found: list[Object]) -> list[str]:
    """Ingress: the load balancer to the api, monitoring namespaces to the metrics, nothing to Flower."""
    wrong = []
    for one in of_kind(found, "NetworkPolicy"):
        for rule in one["spec"].get("ingress", []):
            ports = [port["port"] for port in rule.get("ports", [])]
            if not rule.get("from") or {} in rule["from"]:
                wrong.append(f"{one['metadata']['name']}: allows any source")
            if any(
                source.get("ipBlock", {}).get("cidr") in ("0.0.0.0/0", "::/0")
                for source in rule.get("from", [])
            ):
                wrong.append(f"{one['metadata']['name']}: allows the internet")
            if ports not in (["http"], ["metrics"], ["triton"]):
                wrong.append(f"{one['metadata']['name']}: opens {ports}")
            if ports != ["http"] and any(
                "namespaceSelector" not in source for source in rule.get("from", [])
            ):
                wrong.append(f"{one['metadata']['name']}: allows more than a namespace to the metrics")
            if ports == ["http"] and _of(one) != {"api"}:
                wrong.append(f"{one['metadata']['name']}: opens the http port of {sorted(_of(one))}")
    return wrong


def egress(found: list[Object]) -> list[str]:
    """Egress: only stewards and workers to the internet, without private networks."""
    wrong = []
    for one in of_kind(found, "NetworkPolicy"):
        name, pods = one["metadata"]["name"], _of(one)
        for rule in one["spec"].get("egress", []):
            if not rule.get("to"):
                wrong.append(f"{name}: allows any destination")
            for target in rule.get("to", []):
                block = target.get("ipBlock", {})
                if block.get("cidr") in ("0.0.0.0/0", "::/0"):
                    wrong += _internet(name, pods, rule, block)
    return wrong


def _internet(name: str, pods: set[str], rule: Object, block: Object) -> list[str]:
    wrong = [] if pods <= {"steward", "worker"} else [f"{name}: allows {sorted(pods)} to the internet"]
    if block["cidr"] == "0.0.0.0/0" and set(block.get("except", [])) != PRIVATE:
        wrong.append(f"{name}: allows private networks")
    if pods == {"worker"} and [port["port"] for port in rule.get("ports", [])] != [443]:
        wrong.append(f"{name}: allows workers other ports than 443")
    return wrong


def servers(found: list[Object]) -> list[str]:
    """Every process may connect to the servers that it needs."""
    reached: dict[str, int] = {}
    for one in of_kind(found, "NetworkPolicy"):
        for rule in one["spec"].get("egress", []):
            if all("cidr" in target.get("ipBlock", {}) for target in rule["to"]):
                ports = [port["port"] for port in rule.get("ports", [])]
                for name in _of(one):
                    reached[name] = reached.get(name, 0) + any(port in (5432, 6378, 6379) for port in ports)
    needed = {"api": 2, "worker": 2, "steward": 2, "migrate": 2, "flower": 1}
    existing = {component(one) for one in of_kind(found, "Deployment", "Job")}
    return [name for name, count in needed.items() if name in existing and reached.get(name, 0) != count]


def _of(policy: Object) -> set[str]:
    """The components whose pods a policy selects."""
    selector = policy["spec"]["podSelector"]
    wanted = selector.get("matchLabels", {}).get("app.kubernetes.io/component")
    if wanted:
        return {wanted}
    for expression in selector.get("matchExpressions", []):
        if expression["key"] == "app.kubernetes.io/component" and expression["operator"] == "In":
            return set(expression["values"])
    return set(COMPONENTS)
