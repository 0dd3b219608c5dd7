"""A checkout to run in, and a run that serves."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.local.runs import command, environment
from tests.stack.processes import until

ROOT = Path(__file__).parent.parent.parent
GIT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git checkout of the product as it is now, with one commit."""
    folder = tmp_path / "checkout"
    left_out = shutil.ignore_patterns(".git", ".venv*", ".local", "__pycache__", "*.egg-info", ".*_cache")
    shutil.copytree(ROOT, folder, ignore=left_out)
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "feat: a queue for posts"]):
        subprocess.run(["git", *words], cwd=folder, check=True, env=os.environ | GIT)
    return folder


@pytest.fixture
def serving(checkout: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`make run` that has printed its post and serves."""
    with serving_in(checkout) as process:
        yield process


@contextmanager
def serving_in(checkout: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`make run` in this checkout, which serves."""
    with (checkout / "out").open("wb") as out:
        process = subprocess.Popen(
            command(), cwd=checkout, env=environment(checkout), stdout=out, stderr=out, start_new_session=True
        )
    said = checkout / "out"
    until(lambda: "serving" in said.read_text() or process.poll() is not None, 60)
    assert process.poll() is None, said.read_text()
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
