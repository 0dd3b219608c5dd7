"""Checks of a root module: examples, descriptions, checkov's findings; and its copy with a fault."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.deploy.gce.hcl import GCE, ROOT, parse, plain, read

CHECKOV = ROOT / ".venv-deploy" / "checkov" / "bin" / "checkov"
SKIP = re.compile(r"checkov:skip=(CKV\w+):(.*)")


def broken(folder: Path, root: Path, file: str, old: str, new: str) -> Path:
    """The folder of the file in a copy of the root, and of the modules in deploy/gce, with one fault."""
    for one in {GCE, root}:
        shutil.copytree(one, folder / one.name)
    path = folder / root.name / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path.parent


def examples(root: Path) -> list[Path]:
    """The files of example values."""
    return sorted((root / "examples").glob("*.tfvars"))


def example_errors(root: Path, example: Path) -> list[str]:
    """Required variables that the example does not set, and names in it that are not declared."""
    [given] = parse(example.read_text())
    variables = {block.name: block for block in read(root) if block.kind == "variable"}
    needed = {name for name, block in variables.items() if "default" not in block.attributes}
    found = [f"{name} is not set" for name in sorted(needed - set(given.attributes))]
    for name, value in given.attributes.items():
        if name not in variables:
            found.append(f"{name} is not declared")
            continue
        fields = str(variables[name].attributes["type"])
        if isinstance(value, dict) and "object" in fields:
            found += [f"{name} has no {key}" for key in plain(value) if f"{key} = " not in fields]
    return found


def undescribed(folder: Path) -> list[str]:
    """Variables and outputs without a description."""
    described = [block for block in read(folder) if block.kind in {"variable", "output"}]
    return [block.name for block in described if not plain(block.attributes.get("description"))]


def checkov(folder: Path) -> dict[str, Any]:
    """The report of checkov, without network access."""
    command = [str(CHECKOV), "--directory", str(folder), "--framework", "terraform", "--quiet", "--compact"]
    done = subprocess.run(
        [*command, "--output", "json", "--skip-download"],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"LOG_LEVEL": "ERROR"},
    )
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0, report["results"]["parsing_errors"]
    return report


def unexplained(root: Path) -> list[str]:
    """Suppressed findings of checkov without a reason of a few words."""
    texts = [path.read_text() for path in root.rglob("*.tf")]
    skips = [found for text in texts for found in SKIP.findall(text)]
    assert len(skips) == sum(text.count("checkov:skip") for text in texts)
    return [name for name, reason in skips if len(reason.split()) < 5]
