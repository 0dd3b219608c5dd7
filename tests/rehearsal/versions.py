"""The code before the newest migration, out of the repository's history: what an upgrade replaces."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.monitoring.programs import ROOT

ABSENT = "the version before the newest migration is not in this clone (git fetch --unshallow brings it)"


def previous_commit() -> str | None:
    """The last commit without the newest migration; None: this clone's history does not reach it."""
    newest = max((ROOT / "migrations" / "versions").glob("v[0-9]*.py")).relative_to(ROOT)
    top = _git("rev-parse", "--show-toplevel")
    if not top or Path(top).resolve() != ROOT.resolve():
        return None  # Not a clone: an archive of the files, perhaps within another repository
    if not (tracked := _git("log", "--format=%H", "--max-count=1", "--", str(newest))):
        return _git("rev-parse", "--verify", "--quiet", "HEAD")  # Not committed yet
    added = _git("log", "--diff-filter=A", "--format=%H", "--", str(newest)) or tracked
    before = _git("rev-parse", "--verify", "--quiet", f"{added.split()[-1]}^")
    return before if before and not _git("ls-tree", before, str(newest)) else None


def unpack(commit: str, folder: Path) -> Path:
    """Its files, in this folder."""
    done = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def running_from(folder: Path) -> dict[str, str]:
    """Variables by which `python -m module` takes its modules from this folder instead of the checkout."""
    variables = {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(folder)}
    look = "import api, base, worker; print(*(m.__file__ for m in (api, base, worker)), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", look], env=os.environ | variables, check=True, capture_output=True, text=True
    )
    assert all(line.startswith(f"{folder}/") for line in done.stdout.splitlines()), done.stdout
    return variables


def _git(*arguments: str) -> str | None:
    """What git prints; None where it finds nothing or there is no repository."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
