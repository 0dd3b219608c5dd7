"""Terraform of the cluster: the provider's schema, names, format, and checkov."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.gce import provider, references, roots
from tests.deploy.gce.hcl import GKE, plain, read

MODULES = [GKE / plain(call.attributes["source"]) for call in read(GKE) if call.kind == "module"]
EXAMPLES = roots.examples(GKE)
RESOURCES = ("resource", "data", "ephemeral")
TERRAFORM = [found] if (found := shutil.which("terraform")) else []


def schema_errors(folder: Path) -> list[str]:
    """Violations of the provider's schema."""
    return [error for block in read(folder) if block.kind in RESOURCES for error in provider.errors(block)]


def test_every_resource_is_valid() -> None:
    made = [block for folder in (GKE, *MODULES) for block in read(folder) if block.kind in RESOURCES]
    assert [error for block in made for error in provider.errors(block)] == []
    kinds = [block.labels[0] for block in made]
    assert {"google_container_cluster", "google_container_node_pool"} <= set(kinds)
    assert len(kinds) > 20


@pytest.mark.parametrize(
    ("file", "old", "new", "error"),
    [
        ("pools.tf", "total_max_node_count", "max_nodes", "autoscaling: unknown argument max_nodes"),
        ("pools.tf", "taint {", "taints {", "node_config: unknown block taints"),
        ("pools.tf", '    effect = "NO_SCHEDULE"\n', "", "missing effect"),
        ("cluster.tf", "channel = var.release_channel", "", "release_channel: missing channel"),
        (
            "cluster.tf",
            "workload_identity_config {",
            "workload_identity {",
            "unknown block workload_identity",
        ),
        ("storage.tf", 'resource "google_storage_bucket"', 'resource "google_bucket"', "no such resource"),
    ],
)
def test_a_violation_of_the_schema_is_found(
    tmp_path: Path, file: str, old: str, new: str, error: str
) -> None:
    found = schema_errors(roots.broken(tmp_path, GKE, file, old, new))
    assert any(error in one for one in found), found


def test_all_names_are_declared_and_used() -> None:
    assert references.errors(GKE) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "error"),
    [
        ("cluster.tf", "var.zones", "var.zone", "var.zone is not declared"),
        ("identities.tf", "local.workload_pool", "local.pool", "local.pool is not declared"),
        ("data.tf", "settings  = var.data\n", "", "module.data is not given settings"),
        (
            "outputs.tf",
            "google_storage_bucket.weights.url",
            "google_storage_object.weights.url",
            "not declared",
        ),
        ("outputs.tf", "module.data.secrets", "module.data.secret", "module.data.secret is not declared"),
    ],
)
def test_a_wrong_name_is_found(tmp_path: Path, file: str, old: str, new: str, error: str) -> None:
    found = references.errors(roots.broken(tmp_path, GKE, file, old, new))
    assert any(error in one for one in found), found


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_sets_all_required_variables_and_no_unknown_ones(example: Path) -> None:
    assert roots.example_errors(GKE, example) == []


@pytest.mark.parametrize("program", TERRAFORM)
def test_all_files_are_formatted(program: str) -> None:
    command = [program, "fmt", "-check", "-recursive", str(GKE)]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == ""


def test_checkov_finds_only_the_deliberate_fault(tmp_path: Path) -> None:
    copy = roots.broken(
        tmp_path, GKE, "storage.tf", "bucket_level_access = true", "bucket_level_access = false"
    )
    shutil.rmtree(tmp_path / "gce" / "modules" / "data")  # it has its own test
    report = roots.checkov(copy)
    failed = [(one["check_id"], one["resource"]) for one in report["results"]["failed_checks"]]
    assert failed == [("CKV_GCP_29", "google_storage_bucket.weights")]
    assert report["summary"]["resource_count"] > 20


def test_every_suppressed_finding_has_a_reason() -> None:
    assert roots.unexplained(GKE) == []


def test_variables_and_outputs_have_descriptions() -> None:
    assert roots.undescribed(GKE) == []
