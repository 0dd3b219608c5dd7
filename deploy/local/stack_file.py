"""`.local/stack.json`: the local stack's addresses and development keys, readable by this user alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tenants.sealing import new_sealing_key

NAME = "stack.json"
SEALING_KEY = "secret-key"


def read_stack(folder: Path) -> dict[str, Any]:
    """The values that the last run wrote, or none."""
    try:
        return dict(json.loads((folder / NAME).read_text()))
    except (OSError, ValueError):
        return {}


def write_stack(folder: Path, values: dict[str, Any]) -> None:
    """Replace the file."""
    _write(folder / NAME, json.dumps(values, indent=2))


def sealing_key(folder: Path) -> str:
    """The key that encrypts webhook secrets in this folder's database; the first run makes it."""
    file = folder / SEALING_KEY
    if not file.exists():
        _write(file, new_sealing_key())
    return file.read_text()


def _write(file: Path, text: str) -> None:
    """Replace the file atomically; it has mode 0600 before it has any content."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.rename(file)
