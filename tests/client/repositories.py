"""git, as the tests call it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

DAY = "2025-04-24T12:00:00+0900"
Commit = Callable[..., str]


def git(folder: Path, *arguments: str, **more: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True, env=os.environ | more
    )
    return done.stdout.strip()
