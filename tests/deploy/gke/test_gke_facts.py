"""The cluster's settings and IAM, and the chart rendered with the values from Terraform."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest

from tests.deploy.gce.hcl import GCE, GKE, Block, local_values, named, only, plain, read
from tests.deploy.helm.chart import VERSIONS, Object, parse, render
from tests.deploy.helm.chart import named as found_by
from tests.deploy.helm.network import denied, servers
from tests.deploy.helm.rollout import endings, placement
from tests.deploy.helm.scaling import targets, triggers
from tests.deploy.helm.security import accounts, confinement, secrets
from tests.deploy.helm.validity import problems

CLUSTER = only(GKE, "resource", "google_container_cluster")


def pool(name: str) -> Block:
    """A node pool."""
    return only(GKE, "resource", "google_container_node_pool", name)


def test_the_cluster_is_regional_private_and_on_a_release_channel() -> None:
    assert plain(CLUSTER.attributes["location"]) == "${var.region}"
    private = CLUSTER.child("private_cluster_config").attributes
    assert private["enable_private_nodes"] is private["enable_private_endpoint"] is True
    assert plain(CLUSTER.child("release_channel").attributes["channel"]) == "${var.release_channel}"
    assert CLUSTER.attributes["deletion_protection"] == "${var.protected}"
    assert plain(CLUSTER.attributes["datapath_provider"]) == "ADVANCED_DATAPATH", (
        "network policies are enforced"
    )
    assert CLUSTER.child("secret_manager_config").attributes["enabled"] is True
    assert CLUSTER.child("workload_identity_config").attributes["workload_pool"] == "${local.workload_pool}"


def test_gpu_nodes_are_tainted_and_upgraded_without_additional_gpus() -> None:
    config = pool("gpu").child("node_config")
    taint = {key: plain(value) for key, value in config.child("taint").attributes.items()}
    assert taint == {"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}
    upgrade = pool("gpu").child("upgrade_settings").attributes
    assert (upgrade["max_surge"], upgrade["max_unavailable"]) == (0, 1)
    assert plain(pool("gpu").child("autoscaling").attributes["location_policy"]) == "ANY"
    accelerator = config.child("guest_accelerator")
    assert accelerator.attributes["count"] == 1
    driver = accelerator.child("gpu_driver_installation_config").attributes["gpu_driver_version"]
    assert driver == "${local.drivers[var.gpu.driver]}"
    assert set(local_values(GKE)["drivers"]) == {"default", "latest", "daemonset"}
    assert local_values(GKE)["drivers"]["daemonset"] == "INSTALLATION_DISABLED"


def test_auto_provisioning_is_limited() -> None:
    scaling = CLUSTER.child("cluster_autoscaling")
    limits = {plain(block.attributes["resource_type"]) for block in scaling.children("resource_limits")}
    assert limits == {"cpu", "memory", "${var.gpu.type}"}
    defaults = scaling.child("auto_provisioning_defaults")
    assert defaults.attributes["service_account"] == "${google_service_account.nodes.email}"


@pytest.mark.parametrize("block", [CLUSTER.child("node_config"), pool("services"), pool("gpu")])
def test_nodes_have_their_own_service_account_and_hide_it_from_pods(block: Block) -> None:
    config = block if block.kind == "node_config" else block.child("node_config")
    assert config.attributes["service_account"] == "${google_service_account.nodes.email}"
    assert plain(config.child("workload_metadata_config").attributes["mode"]) == "GKE_METADATA"
    assert config.child("shielded_instance_config").attributes["enable_secure_boot"] is True


def test_the_grants_are_exactly_these() -> None:
    granted = [
        (
            block.labels[0].removeprefix("google_"),
            *(plain(block.attributes[key]) for key in ("role", "member")),
        )
        for block in read(GKE)
        if block.kind == "resource" and "_iam_" in block.labels[0]
    ]
    nodes = "serviceAccount:${google_service_account.nodes.email}"
    [scaler] = [one for one in granted if "subject/${var.scaler}" in one[2]]
    assert scaler[:2] == ("project_iam_member", "roles/monitoring.viewer")
    grants = {(kind, role): member for kind, role, member in granted if member != scaler[2]}
    assert len(grants) == len(granted) - 1
    assert grants == {
        ("project_iam_member", "roles/container.defaultNodeServiceAccount"): nodes,
        ("project_iam_member", "roles/monitoring.viewer"): nodes,
        ("artifact_registry_repository_iam_member", "roles/artifactregistry.reader"): nodes,
        (
            "service_account_iam_member",
            "roles/iam.workloadIdentityUser",
        ): "serviceAccount:${local.workload_pool}[${var.namespace}/${var.release}-${each.key}]",
        (
            "storage_bucket_iam_member",
            "roles/storage.objectViewer",
        ): 'serviceAccount:${local.accounts["worker"]}',
    }


def test_no_output_and_no_value_contains_a_secret() -> None:
    secret = r"(ephemeral\.|auth_string|password|secret_data|random_\w+)"
    blocks = [block for block in read(GKE) if block.kind == "output"]
    blocks += [block for block in read(GKE) if block.kind == "locals" and "helm_values" in block.attributes]
    assert len(blocks) > 5
    for block in blocks:
        assert named(block.texts(), secret) == set(), block.name
    assert named(iter(["${module.data.password}"]), secret)


SAMPLES: dict[str, Any] = {
    "${local.registry}": "europe-west4-docker.pkg.dev/my-project/til-gke",
    "${var.project}": "my-project",
    "${module.data.postgres_ca}": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    "${module.data.redis_ca}": "-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n",
    "${google_storage_bucket.weights.name}": "my-project-til-gke-weights",
    "${local.makes_nodes}": True,
    "${local.on_spot ? 10 : 25}": 10,
    "${local.on_spot ? 5 : 15}": 5,
    "${var.gpu.machine_type}": "g2-standard-8",
    "${var.gpu.type}": "nvidia-l4",
    "${var.gpu.disk_gb}": 100,
    '${var.gpu.driver == "daemonset" ? "disabled" : var.gpu.driver}': "latest",
    "${var.zones}": ["europe-west4-a", "europe-west4-b"],
    "${google_service_account.nodes.email}": "til-gke-nodes@my-project.iam.gserviceaccount.com",
    "${var.domain}": "til.example.com",
    "${module.edge.address.name}": "til-gke",
    "${module.edge.security_policy.name}": "til-gke",
    "${module.edge.ssl_policy.name}": "til-gke",
    "${module.network.vpc.services_range}": "10.90.0.0/20",
    "${{for process, role in local.processes : process => local.accounts[role]}}": {
        process: f"til-gke-{role}@my-project.iam.gserviceaccount.com"
        for process, role in local_values(GKE)["processes"].items()
    },
}
"""Sample results of the expressions in helm_values."""


def filled(value: Any) -> Any:
    """Replace expressions by samples. Raises KeyError for one without a sample."""
    match value:
        case dict():
            return {key: filled(item) for key, item in value.items()}
        case list():
            return [filled(item) for item in value]
        case str() if "${" in value and value not in SAMPLES:
            known = {"${var.project}": "my-project", "${var.name}": "til-gke"}
            filled_in = re.sub(r"\$\{.*?\}", lambda found: known[found[0]], value)
            return filled_in
        case str():
            return SAMPLES.get(value, value)
    return value


@cache
def rendered() -> list[Object]:
    """The chart rendered with Terraform's values and one model."""
    values = filled(local_values(GKE)["helm_values"])
    values["workers"] = {"gemma": {"weights": {"path": "gemma-3-12b"}, "profile": "l4-gemma-3-12b"}}
    return parse(render(values))


def test_the_chart_is_valid_with_the_values_from_terraform() -> None:
    found = rendered()
    assert [wrong for one in found for wrong in problems(one, VERSIONS[-1])] == []
    checks = [triggers, targets, endings, placement, confinement, secrets, accounts, denied, servers]
    assert [wrong for check in checks for wrong in check(found)] == []


def test_the_pods_use_the_service_accounts_from_terraform() -> None:
    processes = local_values(GKE)["processes"]
    for process, role in processes.items():
        account = found_by(rendered(), "ServiceAccount", f"-{process}")
        google = account["metadata"]["annotations"]["iam.gke.io/gcp-service-account"]
        assert google == f"til-gke-{role}@my-project.iam.gserviceaccount.com"
        assert account["metadata"]["name"] == f"til-queue-{process}", "the name that has workloadIdentityUser"


def test_the_mounted_secrets_are_those_from_terraform() -> None:
    readers = local_values(GCE / "modules" / "data")["readers"]
    processes = local_values(GKE)["processes"]
    for process, role in processes.items():
        provider = found_by(rendered(), "SecretProviderClass", f"-{process}")["spec"]["parameters"]["secrets"]
        wanted = re.findall(r"secrets/til-gke-([a-z-]+)/versions", provider)
        assert wanted
        assert [name for name in wanted if role not in readers.get(name, [])] == []
