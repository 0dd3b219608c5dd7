"""Plans of both examples by the real Terraform, with a stand-in for the provider."""

from __future__ import annotations

from typing import Any

import pytest

from tests.deploy.gce.hcl import GKE
from tests.deploy.gce.planning import Plan, Planner, Refused
from tests.deploy.gce.stand_in_provider import CANARY

CLUSTER = "google_container_cluster.main"
POOL = "google_container_node_pool.gpu[0]"


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Planner:
    return Planner(tmp_path_factory.mktemp("planner"), GKE)


@pytest.fixture(scope="module")
def l4(planner: Planner) -> Plan:
    return planner.plan("l4")


@pytest.fixture(scope="module")
def fixed(planner: Planner) -> Plan:
    return planner.plan("fixed-pool")


def limits(plan: Plan) -> dict[str, Any]:
    """The limits of node auto-provisioning."""
    [scaling] = plan.values(CLUSTER)["cluster_autoscaling"]
    return {one["resource_type"]: one["maximum"] for one in scaling["resource_limits"]}


def test_the_configuration_is_valid(planner: Planner) -> None:
    planner.validate()


def test_a_wrong_type_is_found(planner: Planner) -> None:
    fault = planner.changed("pools.tf", "max_surge       = 0", 'max_surge       = "none"')
    with fault, pytest.raises(Refused, match="a number is required"):
        planner.validate()


def test_nodes_come_from_a_compute_class_within_limits(l4: Plan) -> None:
    assert POOL not in l4.resources
    assert limits(l4) == {"cpu": 96, "memory": 384, "nvidia-l4": 8}
    cluster = l4.values(CLUSTER)
    assert cluster["location"] == "europe-west4"
    assert cluster["private_cluster_config"][0]["enable_private_endpoint"] is True
    [office] = cluster["master_authorized_networks_config"][0]["cidr_blocks"]
    assert office == {"cidr_block": "192.0.2.0/24", "display_name": "office"}
    assert l4.values("module.edge.google_dns_record_set.main[0]")["name"] == "til.example.com."


def test_gpus_are_only_in_the_fixed_pool(fixed: Plan) -> None:
    assert limits(fixed) == {"cpu": 96, "memory": 384}
    pool = fixed.values(POOL)
    [scaling], [config] = pool["autoscaling"], pool["node_config"]
    assert (scaling["total_min_node_count"], scaling["total_max_node_count"]) == (2, 3)
    [accelerator] = config["guest_accelerator"]
    [driver] = accelerator["gpu_driver_installation_config"]
    assert driver["gpu_driver_version"] == "INSTALLATION_DISABLED"
    assert config["taint"] == [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}]
    assert fixed.values(CLUSTER)["release_channel"] == [{"channel": "STABLE"}]
    assert not [address for address in fixed.resources if "google_dns_record_set" in address]


def test_each_process_may_use_its_service_account(l4: Plan) -> None:
    name = "google_service_account_iam_member.processes"
    members = {address: one["member"] for address, one in l4.resources.items() if address.startswith(name)}
    assert members == {
        f'{name}["{process}"]': f"serviceAccount:my-project.svc.id.goog[til/til-queue-{process}]"
        for process in ("api", "steward", "migrate", "worker", "flower")
    }


def test_the_address_is_checked_from_outside_and_email_gets_the_alerts(l4: Plan, fixed: Plan) -> None:
    channel = "google_monitoring_notification_channel.email[0]"
    assert l4.values(channel)["labels"] == {"email_address": "operators@example.com"}
    assert channel not in fixed.resources
    for plan in (l4, fixed):
        [check] = plan.values("module.uptime.google_monitoring_uptime_check_config.main")["http_check"]
        assert (check["path"], check["use_ssl"], check["validate_ssl"]) == ("/healthz", True, True)
        for alert in ("unreachable", "certificate"):
            assert plan.values(f"module.uptime.google_monitoring_alert_policy.{alert}")["conditions"]


def test_the_database_and_redis_are_created_and_no_secret_is_in_the_plan(l4: Plan, fixed: Plan) -> None:
    made = {
        address.split(".")[2].split("[")[0] for address in l4.resources if address.startswith("module.data")
    }
    assert {"google_sql_database_instance", "google_redis_instance"} <= made
    for plan in (l4, fixed):
        assert CANARY not in plan.text


def test_invalid_settings_are_refused(planner: Planner) -> None:
    with pytest.raises(Refused) as refused:
        planner.plan(
            "l4", name="Til", zones=["a"], release="til", release_channel="FAST", gpu={"driver": "none"}
        )
    output = " ".join(str(refused.value).split())
    for message in (
        "3 to 20 lower-case letters",
        "At least two zones",
        "The name must contain til-queue",
        "RAPID, REGULAR or STABLE",
        "default, latest or daemonset",
    ):
        assert message in output
