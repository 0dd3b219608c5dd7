"""Terraform of the cluster: the provider's schema, names, format, and checkov."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.gce import provider, references
from tests.deploy.gce.hcl import ROOT, parse, plain, read

GKE = ROOT / "deploy" / "gke"
MODULES = [GKE / plain(call.attributes["source"]) for call in read(GKE) if call.kind == "module"]
EXAMPLES = sorted((GKE / "examples").glob("*.tfvars"))
RESOURCES = ("resource", "data", "ephemeral")
TERRAFORM = [found] if (found := shutil.which("terraform")) else []


def schema_errors(folder: Path) -> list[str]:
    """Violations of the provider's schema."""
    return [error for block in read(folder) if block.kind in RESOURCES for error in provider.errors(block)]


def broken(tmp_path: Path, file: str, old: str, new: str) -> Path:
    """A copy of deploy with one fault."""
    shutil.copytree(ROOT / "deploy" / "gce", tmp_path / "gce")
    copy = shutil.copytree(GKE, tmp_path / "gke")
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new))
    return copy


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
    found = schema_errors(broken(tmp_path, file, old, new))
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
    found = references.errors(broken(tmp_path, file, old, new))
    assert any(error in one for one in found), found


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_sets_all_required_variables_and_no_unknown_ones(example: Path) -> None:
    [given] = parse(example.read_text())
    variables = {block.name: block for block in read(GKE) if block.kind == "variable"}
    needed = {name for name, block in variables.items() if "default" not in block.attributes}
    assert needed <= set(given.attributes) <= variables.keys()
    for name, value in given.attributes.items():
        fields = str(variables[name].attributes["type"])
        if isinstance(value, dict) and "object" in fields:
            assert all(f"{key} = " in fields for key in plain(value)), name


@pytest.mark.parametrize("program", TERRAFORM)
def test_all_files_are_formatted(program: str) -> None:
    command = [program, "fmt", "-check", "-recursive", str(GKE)]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == ""


def test_checkov_finds_only_the_deliberate_fault(tmp_path: Path) -> None:
    copy = broken(tmp_path, "storage.tf", "bucket_level_access = true", "bucket_level_access = false")
    shutil.rmtree(tmp_path / "gce" / "modules" / "data")  # it has its own test
    command = [str(ROOT / ".venv-deploy/checkov/bin/checkov"), "--directory", str(copy)]
    command += ["--framework", "terraform", "--quiet", "--compact", "--output", "json", "--skip-download"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    failed = [(one["check_id"], one["resource"]) for one in report["results"]["failed_checks"]]
    assert failed == [("CKV_GCP_29", "google_storage_bucket.weights")]
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["resource_count"] > 20


def test_every_suppressed_finding_has_a_reason() -> None:
    texts = [path.read_text() for path in GKE.rglob("*.tf")]
    skips = [found for text in texts for found in re.findall(r"checkov:skip=(CKV\w+):(.*)", text)]
    assert len(skips) == sum(text.count("checkov:skip") for text in texts)
    assert [name for name, reason in skips if len(reason.split()) < 5] == []


def test_variables_and_outputs_have_descriptions() -> None:
    described = [block for block in read(GKE) if block.kind in {"variable", "output"}]
    assert [block.name for block in described if not plain(block.attributes.get("description"))] == []
