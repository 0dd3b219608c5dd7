"""Load balancing, autoscaling and autohealing: the settings that operators rely on."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.deploy.gce.hcl import GCE, MODULES, Block, local_values, only, plain, read

MODULE = {path.name: path for path in MODULES}
LONGEST_WAIT_SECONDS = 60
LONGEST_RUN_SECONDS = 600
"""The default of run_seconds; an event stream lasts as long as a run."""

FRONT_END_IDLE_SECONDS = 600
"""How long Google's front ends keep an idle connection to a backend; it can't be changed."""

KNOWN_FLAGS = {
    "autovacuum_vacuum_cost_limit",
    "cloudsql.enable_pgaudit",
    "log_checkpoints",
    "log_connections",
    "log_disconnections",
    "log_duration",
    "log_hostname",
    "log_lock_waits",
    "log_min_duration_statement",
    "log_min_error_statement",
    "log_min_messages",
    "log_statement",
}
"""Of CIS' benchmark for Cloud SQL, and one of autovacuum. An apply fails at a flag that it does not list."""


def resource(module: str, kind: str, name: str = "main") -> Block:
    return only(MODULE[module], "resource", f"google_{kind}", name)


def default(module: str, name: str) -> Any:
    """The default of a field of an object variable of the root module."""
    [found] = re.findall(
        rf"\b{name} = optional\(\w+(?:\(\w+\))?, ([^)]*)\)", str(only(GCE, "variable", module).attributes)
    )
    return plain(found.replace('\\"', '"'))


def conditions(variable: str) -> list[str]:
    return [
        str(block.attributes["condition"]) for block in only(GCE, "variable", variable).children("validation")
    ]


def test_the_load_balancer_uses_backends_up_to_80_percent() -> None:
    backend = resource("load_balancer", "compute_backend_service").child("backend")
    assert plain(backend.attributes["balancing_mode"]) == "UTILIZATION"
    assert backend.attributes["max_utilization"] == 0.8


@pytest.mark.parametrize("module", ["load_balancer", "api", "workers"])
def test_health_checks_use_healthz(module: str) -> None:
    check = resource(module, "compute_health_check").child("http_health_check")
    assert plain(check.attributes["request_path"]) == "/healthz"


def test_the_timeout_exceeds_a_long_poll_and_a_run() -> None:
    service = resource("load_balancer", "compute_backend_service").attributes
    assert service["timeout_sec"] == "${var.stream_seconds}"
    assert service["connection_draining_timeout_sec"] == "${var.drain_seconds}"
    assert int(default("balancer", "stream_seconds")) > LONGEST_WAIT_SECONDS + LONGEST_RUN_SECONDS
    assert int(default("balancer", "drain_seconds")) > LONGEST_WAIT_SECONDS
    assert "${var.balancer.stream_seconds > 660}" in conditions("balancer")
    assert "${var.balancer.drain_seconds > 60}" in conditions("balancer")


def test_http_redirects_to_https_with_a_managed_certificate_and_a_dns_record() -> None:
    redirect = (
        resource("load_balancer", "compute_url_map", "redirect").child("default_url_redirect").attributes
    )
    assert redirect["https_redirect"] is True
    assert redirect["strip_query"] is False
    rules = {
        name: resource("load_balancer", "compute_global_forwarding_rule", name) for name in ("http", "https")
    }
    assert plain(rules["http"].attributes["port_range"]) == "80"
    assert "target_http_proxy.redirect" in rules["http"].attributes["target"]
    assert plain(rules["https"].attributes["port_range"]) == "443"
    proxy = resource("load_balancer", "compute_target_https_proxy").attributes
    assert "google_compute_managed_ssl_certificate.main.id" in str(proxy["ssl_certificates"])
    assert plain(resource("edge", "compute_ssl_policy").attributes["min_tls_version"]) == "TLS_1_2"
    assert plain(resource("edge", "dns_record_set").attributes["type"]) == "A"


def test_requests_of_a_client_address_are_limited() -> None:
    policy = resource("edge", "compute_security_policy")
    limit, rest = sorted(policy.children("rule"), key=lambda rule: int(rule.attributes["priority"]))
    options = limit.child("rate_limit_options")
    assert plain(limit.attributes["action"]) == "throttle"
    assert plain(options.attributes["exceed_action"]) == "deny(429)"
    assert plain(options.attributes["enforce_on_key"]) == "IP"
    assert options.child("rate_limit_threshold").attributes["count"] == "${var.requests_per_minute}"
    assert (plain(rest.attributes["action"]), rest.attributes["priority"]) == ("allow", 2147483647)
    service = resource("load_balancer", "compute_backend_service").attributes
    assert service["security_policy"] == "${module.edge.security_policy.id}"


def test_workers_follow_exactly_one_series() -> None:
    policy = resource("workers", "compute_region_autoscaler").child("autoscaling_policy")
    metric = policy.child("metric").attributes
    assert plain(metric["name"]) == "prometheus.googleapis.com/til_workers_desired/gauge"
    assert metric["single_instance_assignment"] == 1
    for part in ("prometheus_target", "cluster", "var.model", "var.signal"):
        assert part in metric["filter"]
    assert " OR " not in metric["filter"]
    signals = local_values(GCE)
    assert signals["on_demand"]["standard"]["signal"] == "first"
    assert {name: one["signal"] for name, one in signals["spot_first"].items()} == {
        "spot": "first",
        "standard": "fallback",
    }
    assert signals["spot_first"]["standard"]["min"] == "${var.worker.min}"
    assert signals["spot_first"]["spot"]["min"] == 0


def test_workers_scale_in_slowly_to_zero_and_out_by_schedule() -> None:
    policy = resource("workers", "compute_region_autoscaler").child("autoscaling_policy")
    control = policy.child("scale_in_control")
    assert control.attributes["time_window_sec"] == "${var.scale_in.seconds}"
    assert control.child("max_scaled_in_replicas").attributes["fixed"] == "${var.scale_in.machines}"
    assert policy.attributes["cooldown_period"] == "${var.boot_seconds}"
    assert policy.attributes["min_replicas"] == "${var.min}"
    schedule = policy.child("scaling_schedules").attributes
    assert {"schedule", "duration_sec", "min_required_replicas", "time_zone"} <= schedule.keys()
    assert int(default("worker", "min")) == 0
    assert any(text.endswith("|| var.worker.min >= 1}") for text in conditions("worker"))


def test_autohealing_waits_until_the_model_is_loaded() -> None:
    healing = resource("workers", "compute_region_instance_group_manager").child("auto_healing_policies")
    assert healing.attributes["initial_delay_sec"] == "${max(var.boot_seconds * 2, var.migrate_seconds)}"
    check = resource("workers", "compute_health_check").child("http_health_check")
    assert check.attributes["port"] == "${var.health_port}"


def test_an_update_needs_no_additional_gpus() -> None:
    group = resource("workers", "compute_region_instance_group_manager")
    assert group.child("update_policy").attributes["max_surge_fixed"] == 0
    assert plain(default("worker", "machine_type")) == "g2-standard-8"


def test_the_shape_of_a_workers_group_can_be_autoscaled() -> None:
    group = resource("workers", "compute_region_instance_group_manager")
    assert plain(group.attributes["distribution_policy_target_shape"]) in {"EVEN", "BALANCED"}
    assert plain(group.child("update_policy").attributes["instance_redistribution_type"]) == "NONE"


def test_every_group_is_managed_and_only_one_vm_writes_the_signal() -> None:
    kinds = {block.labels[0] for folder in MODULES for block in read(folder) if block.kind == "resource"}
    assert "google_compute_instance_group" not in kinds
    group = resource("monitoring", "compute_region_instance_group_manager")
    assert group.attributes["target_size"] == 1
    assert group.child("update_policy").attributes["max_surge_fixed"] == 0


def test_the_api_keeps_connections_longer_than_the_load_balancer() -> None:
    template = (MODULE["cloud_init"] / "parts" / "api.yaml.tftpl").read_text()
    [seconds] = re.findall(r"TIL_KEEP_ALIVE_SECONDS=(\d+)", template)
    assert int(seconds) > FRONT_END_IDLE_SECONDS


def test_only_known_flags_of_cloud_sql_are_set() -> None:
    assert local_values(MODULE["data"])["flags"].keys() <= KNOWN_FLAGS
