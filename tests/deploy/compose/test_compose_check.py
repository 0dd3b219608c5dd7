"""`make compose-check` without Docker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def compose_check(folder: Path, **programs: str) -> subprocess.CompletedProcess[str]:
    """Run it with these programs replaced by shell scripts."""
    for name, script in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    values = {"PATH": f"{folder}:{os.environ['PATH']}", "DOCKER_HOME": str(folder / "home")}
    command = [sys.executable, "-m", "deploy.containers"]
    return subprocess.run(command, cwd=ROOT, env=values, check=False, capture_output=True, text=True)


def test_it_is_skipped_if_no_engine_can_be_started(tmp_path: Path) -> None:
    done = compose_check(tmp_path, docker="exit 1", id="echo 1000")
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert "compose-check: skipped: no Docker runs here, and none can be started" in done.stdout
    assert "only root can start an engine" in done.stderr
    assert not (tmp_path / "home").exists()


def test_it_is_skipped_if_the_compose_plugin_is_missing(tmp_path: Path) -> None:
    done = compose_check(tmp_path, docker='[ "$1" = info ] && echo 28.0.0')
    assert (done.returncode, done.stdout) == (
        0,
        "compose-check: skipped: Docker runs here, but its plugin compose is missing.\n",
    )


def test_a_build_that_fails_is_a_failure(tmp_path: Path) -> None:
    docker = (
        'case "$1 $2" in info*|compose\\ version) echo 28.0.0 ;; build*) echo no space >&2; exit 1 ;; esac'
    )
    done = compose_check(tmp_path, docker=docker)
    assert done.returncode == 1
    assert "no space" in done.stderr
