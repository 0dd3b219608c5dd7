"""The commands and names in the READMEs of deploy/gke and of the chart."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.deploy.gce.hcl import GKE, ROOT, read
from tests.deploy.monitoring.files import metrics_of

READMES = ["deploy/gke/README.md", "deploy/helm/til-queue/README.md"]


def text(name: str) -> str:
    """A README."""
    return (ROOT / name).read_text()


def commands(name: str) -> list[str]:
    """The commands of the first code block."""
    [block, *_] = re.findall(r"```sh\n(.*?)```", text(name), re.DOTALL)
    return [line for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def the(name: str, part: str) -> str:
    """The command that contains `part`."""
    [found] = [command for command in commands(name) if part in command]
    return found


@pytest.mark.parametrize("name", READMES)
def test_it_is_installed_in_under_ten_commands(name: str) -> None:
    assert 4 < len(commands(name)) < 10


@pytest.mark.parametrize("name", READMES)
def test_the_outputs_variables_files_and_links_exist(name: str) -> None:
    readme = text(name)
    outputs = {block.name for block in read(GKE) if block.kind == "output"}
    assert set(re.findall(r"output (?:-raw )?(\w+)", readme)) <= outputs
    folder = (ROOT / name).parent
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", readme)]
    assert links
    assert [link for link in links if not (folder / link).exists()] == []
    files = set(re.findall(r"(?<![\w/.])(?:deploy(?!/til-)|docs)/[\w./-]+\w", readme)) - MADE_BY_OPERATORS
    assert [file for file in files if not (ROOT / file).exists()] == []
    variables = {block.name for block in read(GKE) if block.kind == "variable"}
    if name == READMES[0]:
        mentioned = set(re.findall(r"`(gpu|gpu_pool|auto_provisioning|zones|scaler|email)\b", readme))
        assert len(mentioned) > 4
        assert mentioned <= variables


MADE_BY_OPERATORS = {"deploy/gke/cluster.yaml", "deploy/gke/my-models.yaml", "deploy/gke/my.tfvars"}


@pytest.mark.parametrize("name", READMES)
def test_bases_are_pinned_and_docker_is_logged_in_before_images_are_pushed(name: str) -> None:
    for before in ("deploy/images/pin.sh", "commit its changes", "gcloud auth configure-docker"):
        assert before in text(name), before
    assert "deploy/images/build.sh --push" in the(name, "build.sh")


@pytest.mark.parametrize("name", READMES)
def test_the_pushed_tag_is_the_installed_one(name: str) -> None:
    [pushed] = re.findall(r"^VERSION=(\S+) deploy/images/build.sh", the(name, "build.sh"))
    chart = yaml.safe_load((ROOT / "deploy" / "helm" / "til-queue" / "Chart.yaml").read_text())
    product = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    sets = [yaml.safe_load(path.read_text()) for path in (ROOT / "deploy/helm/values").glob("*.yaml")]
    tags = {one["image"]["tag"] for one in sets if "tag" in one["image"]}
    tags |= set(re.findall(r"image: \{tag: ([^}]+)\}", text(READMES[0])))
    assert tags | {chart["appVersion"], product} == {pushed}


def test_digests_of_weights_are_written_before_the_upload() -> None:
    readme = text(READMES[0])
    [(module, folder)] = re.findall(r"-m (worker\.\S+) (\S+)`", readme)
    assert 'if __name__ == "__main__"' in (ROOT / f"{module.replace('.', '/')}.py").read_text()
    assert f"--recursive {folder} " in the(READMES[0], "gcloud storage cp")
    assert readme.index(module) < readme.index("gcloud storage cp")


def test_the_pinned_keda_has_the_fallback_that_the_chart_uses() -> None:
    [version] = re.findall(r"helm install keda .*--version (\S+)", the(READMES[0], "install keda"))
    assert tuple(map(int, version.split("."))) >= (2, 17, 0), "currentReplicasIfHigher came with 2.17"


def test_the_scaler_with_access_to_the_metric_is_the_one_that_is_installed() -> None:
    [scaler] = [block for block in read(GKE) if block.name == "scaler"]
    keda = the(READMES[0], "install keda")
    assert "ns/keda/sa/keda-operator" in str(scaler.attributes["default"])
    assert "--namespace keda" in keda
    [adapter] = re.findall(r'scaler = "ns/([\w-]+)/sa/[\w-]+"', text(READMES[0]))
    assert adapter == "custom-metrics", "the namespace in the adapter's manifest"
    assert f"{adapter}-stackdriver-adapter/deploy/production/" in text(READMES[0])


IGNORED = [
    "my.tfvars",
    "terraform.tfvars",
    "cluster.yaml",
    "my-models.yaml",
    ".terraform/modules/a",
    "errored.tfstate",
]
KEPT = ["examples/l4.tfvars", ".terraform.lock.hcl", "alerts.tf", "README.md"]


def test_git_ignores_the_files_of_operators_and_no_others(tmp_path: Path) -> None:
    shutil.copy(GKE / ".gitignore", tmp_path)
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    command = [
        "git",
        "-C",
        str(tmp_path),
        "-c",
        "core.excludesFile=/dev/null",
        "check-ignore",
        *IGNORED,
        *KEPT,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.split() == IGNORED
    named = {path.removeprefix("deploy/gke/") for path in MADE_BY_OPERATORS}
    assert named <= set(IGNORED)


def alerts() -> dict[str, str]:
    """Expression of each alert for Managed Prometheus, by name."""
    rules = yaml.safe_load(text("deploy/monitoring/values/managed-prometheus-rules.yaml"))
    found = [rule for group in rules["spec"]["groups"] for rule in group["rules"]]
    return {rule["alert"]: rule["expr"] for rule in found if "alert" in rule}


def test_the_alerts_are_installed() -> None:
    assert the(READMES[0], "kubectl apply").endswith("deploy/monitoring/values/managed-prometheus-rules.yaml")
    assert len(alerts()) > 20


NOT_EXPORTED = re.compile(r"node_|probe_|DCGM_FI_DEV_XID_ERRORS$")
"""Metrics of exporters without a PodMonitoring, and one that GKE's dcgm-exporter does not export."""


def test_alerts_without_metrics_are_listed_with_a_replacement() -> None:
    inert = {name for name, asked in alerts().items() if any(map(NOT_EXPORTED.match, metrics_of(asked)))}
    assert {"TilDiskFull", "TilAddressDown", "TilGpuXid"} <= inert
    [section] = re.findall(
        r"## With Managed Prometheus\n(.*?)\n## ", text("docs/operations/monitoring.md"), re.DOTALL
    )
    rows = re.findall(r"^\| (Til.*?) \| (.+) \|$", section, re.MULTILINE)
    assert {name for names, _ in rows for name in names.split(", ")} == inert
    assert all(replacement for _, replacement in rows)
