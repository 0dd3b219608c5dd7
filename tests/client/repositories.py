"""git, as the tests call it, and what the client reads of a repository."""

from __future__ import annotations

import datetime
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from til_client.commits import collect
from til_client.git import CollectError

DAY = "2025-04-24T12:00:00+0900"
Commit = Callable[..., str]


def git(folder: Path, *arguments: str, **more: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True, env=os.environ | more
    )
    return done.stdout.strip()


def collected(folder: Path, date: datetime.date | None = None) -> tuple[set[str], list[str]]:
    """The messages of the commits that were found, and what was said."""
    said: list[str] = []
    body = collect(folder, date, None, said.append)
    return {patch["commit_message"] for file in body["files"] for patch in file["patches"]}, said


def sentence(folder: Path, date: datetime.date | None = None) -> CollectError:
    """Why nothing is read, on one line."""
    with pytest.raises(CollectError) as refused:
        collect(folder, date, None)
    assert "\n" not in str(refused.value)
    return refused.value
