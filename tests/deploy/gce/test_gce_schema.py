"""Every resource is valid by the provider's schema."""

from __future__ import annotations

import pytest

from tests.deploy.gce.hcl import GCE, MODULES, Block, parse, read
from tests.deploy.gce.provider import errors

RESOURCES = ("resource", "data", "ephemeral")
HEALTH_CHECK = """
resource "google_compute_health_check" "main" {
  name = "api"
  %s
}
"""
POLICY = """
resource "google_compute_region_autoscaler" "main" {
  name   = "workers"
  target = "group"
  autoscaling_policy {
    min_replicas = 0
    %s
  }
}
"""


def checked(text: str) -> list[str]:
    return [error for block in parse(text) for error in errors(block)]


def all_resources() -> list[Block]:
    return [block for folder in (GCE, *MODULES) for block in read(folder) if block.kind in RESOURCES]


def test_every_resource_is_valid() -> None:
    assert [error for block in all_resources() for error in errors(block)] == []


def test_all_resources_are_checked() -> None:
    kinds = {block.labels[0] for block in all_resources()}
    assert len(all_resources()) > 60
    assert {"google_sql_database_instance", "google_compute_region_autoscaler"} <= kinds


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (HEALTH_CHECK % "check_intervall_sec = 5", "unknown argument check_intervall_sec"),
        (HEALTH_CHECK.replace('name = "api"', "") % "", "missing name"),
        (HEALTH_CHECK % "http_health_check {\n path = 1\n }", "http_health_check: unknown argument path"),
        (HEALTH_CHECK % "http_health_check = { port = 1 }", "http_health_check is a block, not an argument"),
        (HEALTH_CHECK % "timeout_sec {\n}", "timeout_sec is an argument, not a block"),
        (HEALTH_CHECK % "timeout_sec = [5]", "timeout_sec is one value"),
        (HEALTH_CHECK % "log_config {\n}\nlog_config {\n}", "log_config more than once"),
        (HEALTH_CHECK % "probe {\n}", "unknown block probe"),
        (POLICY % "", "autoscaling_policy: missing max_replicas"),
        (
            POLICY % 'max_replicas = 1\ndynamic "metric" {\nfor_each = []\ncontent {\ntype = "GAUGE"\n}\n}',
            "autoscaling_policy: metric: missing name",
        ),
        (
            POLICY % "max_replicas = 1\nscale_in_control {\nfixed = 1\n}",
            "autoscaling_policy: scale_in_control: unknown argument fixed",
        ),
        ('resource "google_compute_robot" "a" {\n}', "the provider has no such resource"),
        ('ephemeral "random_password" "a" {\nsize = 1\n}', "unknown size"),
        ('ephemeral "random_password" "a" {\n}', "missing length"),
    ],
)
def test_a_violation_is_found(text: str, error: str) -> None:
    assert any(found.endswith(f": {error}") for found in checked(text)), checked(text)


def test_a_valid_resource_passes() -> None:
    assert checked(HEALTH_CHECK % "check_interval_sec = 5\nhttp_health_check {\nport = 80\n}") == []
    assert checked(POLICY % "max_replicas = 1\nscale_in_control {\ntime_window_sec = 60\n}") == []
