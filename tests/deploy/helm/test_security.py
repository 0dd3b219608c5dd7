"""Confinement, secrets, service accounts and network policies."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.helm import network, security
from tests.deploy.helm.chart import (
    ROOT,
    SETS,
    Object,
    main_of,
    named,
    objects,
    parse,
    pod_of,
    render,
    values,
)
from tests.deploy.helm.golden import FOLDER

Check = Callable[[list[Object]], list[str]]
CHECKS: list[Check] = [
    security.confinement,
    security.secrets,
    security.accounts,
    network.denied,
    network.ingress,
    network.egress,
    network.servers,
]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", SETS)
def test_there_are_no_violations(name: str, check: Check) -> None:
    assert check(objects(name)) == []


def policy(found: list[Object], ending: str) -> Any:
    """The spec of a network policy."""
    return named(found, "NetworkPolicy", ending)["spec"]


def give(found: list[Object], name: str, value: str) -> None:
    """Add a variable to the api."""
    main_of(found, "-api")["env"].append({"name": name, "value": value})


def items(found: list[Object]) -> Any:
    """The secrets that the workers mount."""
    (volume,) = [one for one in pod_of(found, "-gemma")["volumes"] if one["name"] == "secrets"]
    return volume["secret"]["items"]


FERNET = "a" * 43 + "="
FAULTS: list[tuple[Check, Callable[[list[Object]], Any]]] = [
    (security.confinement, lambda found: pod_of(found, "-api")["securityContext"].update(runAsUser=0)),
    (security.confinement, lambda found: pod_of(found, "-api").pop("securityContext")),
    (security.confinement, lambda found: pod_of(found, "-flower").pop("automountServiceAccountToken")),
    (security.confinement, lambda found: pod_of(found, "-steward").update(hostNetwork=True)),
    (
        security.confinement,
        lambda found: main_of(found, "-api")["securityContext"].pop("readOnlyRootFilesystem"),
    ),
    (security.confinement, lambda found: main_of(found, "-api")["securityContext"].update(privileged=True)),
    (security.confinement, lambda found: main_of(found, "-gemma")["resources"].pop("limits")),
    (security.secrets, lambda found: found.append({"kind": "Secret", "metadata": {"name": "a"}})),
    (security.secrets, lambda found: give(found, "TIL_LOG_LEVEL", "postgresql://til:abc@10.0.0.1/til")),
    (security.secrets, lambda found: give(found, "TIL_LOG_LEVEL", FERNET)),
    (security.secrets, lambda found: give(found, "TIL_SECRET_KEYS", "short")),
    (
        security.secrets,
        lambda found: items(found).append({"key": "TIL_SECRET_KEYS", "path": "TIL_SECRET_KEYS"}),
    ),
    (security.accounts, lambda found: pod_of(found, "-gemma").update(serviceAccountName="til-queue-api")),
    (security.accounts, lambda found: found.remove(named(found, "ServiceAccount", "-worker"))),
    (network.denied, lambda found: found.remove(named(found, "NetworkPolicy", "-default-deny"))),
    (network.denied, lambda found: policy(found, "-default-deny").update(policyTypes=["Ingress"])),
    (network.ingress, lambda found: policy(found, "-api")["ingress"][0].pop("from")),
    (network.ingress, lambda found: policy(found, "-api")["ingress"][0].pop("ports")),
    (network.ingress, lambda found: policy(found, "-flower").update(ingress=[{"from": [{}]}])),
    (
        network.ingress,
        lambda found: policy(found, "-metrics")["ingress"][0]["from"].append({"podSelector": {}}),
    ),
    (network.egress, lambda found: policy(found, "-webhooks")["egress"][0]["to"][0]["ipBlock"].pop("except")),
    (network.egress, lambda found: policy(found, "-models")["egress"][0].pop("ports")),
    (network.egress, lambda found: policy(found, "-basics")["egress"].append({})),
    (network.servers, lambda found: policy(found, "-servers")["egress"].pop()),
    (network.servers, lambda found: found.remove(named(found, "NetworkPolicy", "-flower"))),
]


@pytest.mark.parametrize(("check", "break_it"), FAULTS)
def test_a_fault_is_found(check: Check, break_it: Callable[[list[Object]], Any]) -> None:
    found = objects("l4-hpa")
    break_it(found)
    assert check(found) != []


def test_webhooks_reach_only_configured_private_networks() -> None:
    given = values("l4-hpa")
    given["network"] = {"webhookCidrs": ["10.9.0.0/16"]}
    found = parse(render(given))
    (rule,) = policy(found, "-webhooks")["egress"]
    assert [target["ipBlock"]["cidr"] for target in rule["to"]] == ["0.0.0.0/0", "::/0", "10.9.0.0/16"]
    setting = {"name": "TIL_WEBHOOK_ALLOWED_NETWORKS", "value": "10.9.0.0/16"}
    assert [setting in main_of(found, ending)["env"] for ending in ("-api", "-steward", "-gemma")] == [
        True,
        True,
        False,
    ]


def test_checkov_finds_only_the_deliberate_fault(tmp_path: Path) -> None:
    for path in FOLDER.glob("*.yaml"):
        shutil.copy(path, tmp_path)
    fault = copy.deepcopy(named(objects("l4-hpa"), "Deployment", "-api"))
    fault["spec"]["template"]["spec"]["containers"][0]["securityContext"]["privileged"] = True
    (tmp_path / "fault.yaml").write_text(yaml.safe_dump(fault))
    command = [str(ROOT / ".venv-deploy/checkov/bin/checkov"), "--directory", str(tmp_path)]
    command += ["--framework", "kubernetes", "--config-file", str(ROOT / "deploy/helm/checkov.yaml")]
    command += ["--output", "json", "--quiet", "--compact", "--skip-download"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    failed = {(one["file_path"], one["check_id"]) for one in report["results"]["failed_checks"]}
    assert failed == {("/fault.yaml", "CKV_K8S_16")}
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["resource_count"] > 150
