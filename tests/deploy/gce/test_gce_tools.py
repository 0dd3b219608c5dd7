"""checkov's findings and the length of the files."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

from tests.deploy.gce.hcl import GCE, MODULES, ROOT

CHECKOV = ROOT / ".venv-deploy" / "checkov" / "bin" / "checkov"
SKIP = re.compile(r"checkov:skip=(CKV\w+):(.*)")
MOST_LINES = 220


def failed(folder: Path) -> set[str]:
    """The failed checks of checkov, without network access."""
    done = subprocess.run(
        [CHECKOV, "-d", folder, "--framework", "terraform", "--quiet", "--compact", "-o", "json"],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"LOG_LEVEL": "ERROR"},
    )
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0, report["results"]["parsing_errors"]
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
    skips = [found for path in GCE.rglob("*.tf") for found in SKIP.findall(path.read_text())]
    assert len(skips) == sum(path.read_text().count("checkov:skip") for path in GCE.rglob("*.tf"))
    assert [name for name, reason in skips if len(reason.split()) < 5] == []


def test_files_are_short() -> None:
    texts = {str(path.relative_to(GCE)): path.read_text() for path in GCE.rglob("*") if path.is_file()}
    assert len(texts) > 5 * len(MODULES)
    assert {name: n for name, text in texts.items() if (n := len(text.splitlines())) > MOST_LINES} == {}
