"""Rules for confinement, secrets and service accounts. Each check returns the violations."""

from __future__ import annotations

import json
import re

from tests.deploy.helm.chart import Object, component, containers, of_kind, pods

SECRETS = {
    "api": {"DATABASE_URL", "REDIS_URL", "TIL_SECRET_KEYS"},
    "steward": {"DATABASE_URL", "REDIS_URL", "TIL_SECRET_KEYS"},
    "worker": {"DATABASE_URL", "REDIS_URL"},
    "flower": {"REDIS_URL", "FLOWER_BASIC_AUTH"},
    "migrate": {"DATABASE_URL", "REDIS_URL"},
}
"""The secrets that each kind of process may mount."""

LOOKS_SECRET = re.compile(
    r"(postgres(ql)?|rediss?)://[^\s\"]*@|BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[A-Z0-9]{16}|\bAIza[\w-]{35}"
    r"|\bhf_[A-Za-z]{30,}|\bghp_\w{30,}|\btil_\w{32,}|[A-Za-z0-9_-]{43}=|password\s*[:=]",
    re.IGNORECASE,
)
"""URLs with a login, well-known API keys, and Fernet keys (TIL_SECRET_KEYS)."""


def confinement(found: list[Object]) -> list[str]:
    """No pod is root, writes to its root file system, or has a token for the cluster's API."""
    wrong = []
    for name, pod in pods(found).items():
        security = pod.get("securityContext", {})
        if security.get("runAsUser", 0) == 0 or security.get("runAsNonRoot") is not True:
            wrong.append(f"{name}: may be root")
        if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            wrong.append(f"{name}: no seccomp profile")
        if pod.get("automountServiceAccountToken") is not False:
            wrong.append(f"{name}: has a token for the cluster")
        if any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
            wrong.append(f"{name}: uses a namespace of its host")
        wrong += [
            f"{name}: {one['name']} {problem}" for one in containers(pod) for problem in _container(one)
        ]
    return wrong


def _container(one: Object) -> list[str]:
    security = one.get("securityContext", {})
    expected = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "runAsNonRoot": True}
    wrong = [] if expected.items() <= security.items() else [f"has too many rights: {security}"]
    if security.get("capabilities") != {"drop": ["ALL"]} or security.get("privileged"):
        wrong.append("has capabilities")
    resources = one.get("resources", {})
    if not {"cpu", "memory"} <= set(resources.get("requests", {})) or "memory" not in resources.get(
        "limits", {}
    ):
        wrong.append("has no requests or no limit of memory")
    return wrong


def secrets(found: list[Object]) -> list[str]:
    """No secret is in a manifest; each process mounts only its own secrets, as files."""
    wrong = [f"Secret/{one['metadata']['name']}" for one in of_kind(found, "Secret")]
    wrong += [f"looks like a secret: {match.group()}" for match in LOOKS_SECRET.finditer(json.dumps(found))]
    for one in of_kind(found, "Deployment", "Job"):
        name, pod = one["metadata"]["name"], one["spec"]["template"]["spec"]
        mounted = _mounted(pod, found)
        if not mounted <= SECRETS[component(one)]:
            wrong.append(f"{name}: mounts {sorted(mounted)}")
        for entry in [entry for main in containers(pod) for entry in main.get("env", [])]:
            if re.search(r"(URL|KEYS?|TOKEN|PASSWORD|AUTH|SECRET)$", entry["name"]) and not _harmless(entry):
                wrong.append(f"{name}: {entry['name']} is in plain text")
    return wrong


def _harmless(entry: Object) -> bool:
    return entry["name"] == "TIL_OPENAI_URL" and "@" not in entry.get("value", "@")


def _mounted(pod: Object, found: list[Object]) -> set[str]:
    for volume in pod["volumes"]:
        if "secret" in volume:
            return {item["path"] for item in volume["secret"].get("items", [{"path": "all of the Secret"}])}
        if (
            wanted := volume.get("csi", {}).get("volumeAttributes", {}).get("secretProviderClass")
        ) is not None:
            (provider,) = [
                one for one in of_kind(found, "SecretProviderClass") if one["metadata"]["name"] == wanted
            ]
            return set(re.findall(r"path: (\S+)", provider["spec"]["parameters"]["secrets"]))
    return set()


def accounts(found: list[Object]) -> list[str]:
    """Each kind of process has its own existing service account without a token."""
    existing = {one["metadata"]["name"]: one for one in of_kind(found, "ServiceAccount")}
    wrong = [f"{name}: token" for name, one in existing.items() if one.get("automountServiceAccountToken")]
    for one in of_kind(found, "Deployment", "Job"):
        account = one["spec"]["template"]["spec"].get("serviceAccountName", "default")
        if account not in existing or not account.endswith(f"-{component(one)}"):
            wrong.append(f"{one['metadata']['name']}: runs as {account}")
    return wrong
