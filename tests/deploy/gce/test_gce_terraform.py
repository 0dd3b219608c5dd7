"""The real Terraform: format, validation, and a plan of both topologies."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.gce.hcl import GCE
from tests.deploy.gce.planning import Plan, Planner, Refused
from tests.deploy.gce.stand_in_provider import CANARY


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Planner:
    return Planner(tmp_path_factory.mktemp("planner"))


@pytest.fixture(scope="module")
def split(planner: Planner) -> Plan:
    return planner.plan("split")


@pytest.fixture(scope="module")
def together(planner: Planner) -> Plan:
    return planner.plan("together")


def unformatted(folder: Path) -> list[str]:
    command = ["terraform", "fmt", "-check", "-recursive", str(folder)]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60
    ).stdout.splitlines()


def autoscaler(plan: Plan, group: str) -> dict[str, Any]:
    address = f'module.workers["{group}"].google_compute_region_autoscaler.main'
    [policy] = plan.values(address)["autoscaling_policy"]
    return dict(policy)


def test_all_files_are_formatted(tmp_path: Path) -> None:
    assert unformatted(GCE) == []
    (tmp_path / "main.tf").write_text('variable  "a" {}\n')
    assert unformatted(tmp_path) != []


def test_the_configuration_is_valid(planner: Planner) -> None:
    planner.validate()


def test_split_has_small_api_vms_and_two_groups_of_workers(split: Plan) -> None:
    template = split.values("module.api[0].google_compute_region_instance_template.main")
    assert template["machine_type"] == "e2-standard-2"
    groups = {address.split('"')[1] for address in split.resources if address.startswith("module.workers[")}
    assert groups == {"spot", "standard"}
    for group, model in (("spot", "SPOT"), ("standard", "STANDARD")):
        made = split.values(f'module.workers["{group}"].google_compute_region_instance_template.main')
        assert made["machine_type"] == "g2-standard-8"
        assert made["scheduling"][0]["provisioning_model"] == model
        assert made["labels"]["til-role"] == "worker"
    assert not any("named_port" in str(one) for one in autoscaler(split, "spot"))


def test_spot_vms_come_first_and_on_demand_vms_replace_missing_ones(split: Plan) -> None:
    first, fallback = autoscaler(split, "spot"), autoscaler(split, "standard")
    assert (first["min_replicas"], first["max_replicas"], first["cooldown_period"]) == (0, 4, 600)
    assert fallback["min_replicas"] == 0
    expected = (
        'resource.type = "prometheus_target" AND resource.labels.cluster = "til"'
        ' AND metric.labels.model = "default" AND metric.labels.group = "{}"'
    )
    assert first["metric"][0]["filter"] == expected.format("first")
    assert fallback["metric"][0]["filter"] == expected.format("fallback")
    [schedule] = first["scaling_schedules"]
    assert (schedule["schedule"], schedule["min_required_replicas"]) == ("0 9 * * MON-FRI", 1)
    assert fallback["scaling_schedules"] == []


def test_together_has_two_gpu_vms_behind_the_load_balancer(together: Plan) -> None:
    assert not [address for address in together.resources if address.startswith("module.api")]
    group = together.values('module.workers["standard"].google_compute_region_instance_group_manager.main')
    assert group["named_port"] == [{"name": "http", "port": 8000}]
    assert group["update_policy"][0]["type"] == "OPPORTUNISTIC"
    assert autoscaler(together, "standard")["min_replicas"] == 2
    template = together.values('module.workers["standard"].google_compute_region_instance_template.main')
    assert template["labels"]["til-role"] == "together"
    assert template["scheduling"][0]["on_host_maintenance"] == "TERMINATE"
    backend = together.values("module.load_balancer.google_compute_backend_service.main")
    assert [(one["balancing_mode"], one["max_utilization"]) for one in backend["backend"]] == [
        ("UTILIZATION", 0.8)
    ]
    assert backend["timeout_sec"] == 3600


def test_the_servers_are_managed_or_on_a_vm(planner: Planner, split: Plan) -> None:
    managed = {
        address.split(".")[2].split("[")[0]
        for address in split.resources
        if address.startswith("module.data")
    }
    assert {"google_sql_database_instance", "google_redis_instance"} <= managed
    plan = planner.plan("split", data={"kind": "vm"})
    ours = {address.split(".")[2] for address in plan.resources if address.startswith("module.data")}
    assert {"google_compute_instance", "google_compute_disk_resource_policy_attachment"} <= ours
    assert not ours & {"google_sql_database_instance", "google_redis_instance"}


def test_no_secret_is_in_a_plan(planner: Planner, split: Plan, together: Plan) -> None:
    versions = [address for address in split.resources if "secret_manager_secret_version" in address]
    assert len(versions) == 6
    for plan in (split, together):
        assert CANARY not in plan.text
    with zipfile.ZipFile(planner.plan_file) as stored:
        assert not any(CANARY.encode() in stored.read(name) for name in stored.namelist())


def test_a_secret_that_would_be_stored_is_refused(planner: Planner) -> None:
    changed = planner.changed("modules/data/secrets.tf", "secret_data_wo         =", "secret_data =")
    with changed, pytest.raises(Refused, match="Ephemeral values are not valid"):
        planner.plan("split")


def refusal(planner: Planner, example: str, **changes: object) -> str:
    """Terraform's message on one line. It reports the errors of all variables."""
    with pytest.raises(Refused) as refused:
        planner.plan(example, **changes)
    return " ".join(str(refused.value).split())


def test_invalid_settings_are_refused(planner: Planner) -> None:
    output = refusal(
        planner,
        "split",
        name="Til",
        data={"kind": "none"},
        worker={"drain_seconds": 28, "boot_seconds": 2400},
        balancer={"stream_seconds": 30, "drain_seconds": 30},
    )
    for message in (
        "3 to 20 lower-case letters",
        "managed or vm",
        "drain_seconds must be at most 24",
        "Autohealing waits for at most an hour",
        "stream_seconds must be more than",
        "drain_seconds must be more than",
    ):
        assert message in output


def test_there_are_two_topologies(planner: Planner) -> None:
    assert "split or together" in refusal(planner, "split", topology="apart")


def test_together_refuses_zero_vms_and_spot(planner: Planner) -> None:
    output = refusal(planner, "together", worker={"min": 0, "spot": True})
    assert "a group without VMs has no api" in output
    assert "spot must be false" in output
