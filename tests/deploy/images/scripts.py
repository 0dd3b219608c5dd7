"""build.sh in a repository of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDER = "europe-west4-docker.pkg.dev/my-project/til"
COPIED = ("deploy/images", "deploy/compose")
AUTHOR = ("-c", "user.name=a", "-c", "user.email=a@example.com")


def make_checkout(folder: Path) -> Path:
    """A repository with the files that the scripts read, all committed."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name)
    for name in ("docker-compose.yml", ".dockerignore", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    (folder / "api").mkdir()
    (folder / "api" / "app.py").write_text("")
    git(folder, "init", "-q")
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    """All changes."""
    git(folder, "add", ".")
    git(folder, *AUTHOR, "commit", "--allow-empty", "-qm", "a")


def git(folder: Path, *arguments: str) -> str:
    """What git prints."""
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def build(checkout: Path, *arguments: str, **values: str) -> subprocess.CompletedProcess[str]:
    """Run build.sh with this environment."""
    return subprocess.run(
        ["deploy/images/build.sh", *arguments],
        cwd=checkout,
        env={"PATH": os.environ["PATH"], **values},
        check=False,
        capture_output=True,
        text=True,
    )


def fake_docker(folder: Path, script: str) -> str:
    """A shell script as `docker`; returns the PATH that finds it first."""
    folder.mkdir()
    (folder / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "docker").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def remove_digest(checkout: Path, name: str) -> None:
    """As before pin.sh has asked for the digest of `name`."""
    lock = checkout / "deploy" / "images" / "bases.lock"
    lines = lock.read_text().splitlines()
    lock.write_text("".join(f"{name if line.startswith(name) else line}\n" for line in lines))
