"""checkov's findings and the length of the files."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.deploy.gce.hcl import GCE, MODULES, ROOT
from tests.deploy.gce.roots import SKIP, checkov, unexplained

MOST_LINES = 220


def failed(folder: Path) -> set[str]:
    """The failed checks of checkov."""
    report = checkov(folder)
    return {f"{one['check_id']} {one['resource']}" for one in report["results"]["failed_checks"]}


def test_checkov_finds_nothing() -> None:
    assert failed(GCE) == set()


def test_checkov_finds_deliberate_faults(tmp_path: Path) -> None:
    text = SKIP.sub("", (GCE / "modules" / "data" / "managed.tf").read_text())
    for old, new in {"ipv4_enabled    = false": "ipv4_enabled    = true", "local.managed": "1"}.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "main.tf").write_text(text)
    assert {name.split()[0] for name in failed(tmp_path)} >= {"CKV_GCP_6", "CKV_GCP_60"}


def test_every_suppressed_finding_has_a_reason() -> None:
    assert unexplained(GCE) == []


def test_pinning_writes_the_digests_of_the_images_here_too(tmp_path: Path) -> None:
    for name in ("deploy/images", "deploy/compose", "deploy/gce"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    docker, digest = tmp_path / "bin" / "docker", f"sha256:{'ab' * 32}"
    docker.parent.mkdir()
    docker.write_text(f"#!/bin/sh\necho {digest}\n")
    docker.chmod(0o755)
    path = f"{docker.parent}{os.pathsep}{os.environ['PATH']}"
    pin = [str(tmp_path / "deploy" / "images" / "pin.sh"), "postgres:18"]
    subprocess.run(pin, env={"PATH": path}, check=True, capture_output=True, timeout=30)
    assert f'"postgres:18@{digest}"' in (tmp_path / "deploy" / "gce" / "variables.tf").read_text()


def test_files_are_short() -> None:
    texts = {str(path.relative_to(GCE)): path.read_text() for path in GCE.rglob("*") if path.is_file()}
    assert len(texts) > 5 * len(MODULES)
    assert {name: n for name, text in texts.items() if (n := len(text.splitlines())) > MOST_LINES} == {}
