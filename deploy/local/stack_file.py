"""`.local/stack.json`: where the running stack is and its development keys, for this user alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NAME = "stack.json"


def read_stack(folder: Path) -> dict[str, Any]:
    """What the last run wrote, or nothing."""
    try:
        return dict(json.loads((folder / NAME).read_text()))
    except (OSError, ValueError):
        return {}


def write_stack(folder: Path, values: dict[str, Any]) -> None:
    """Replace the file at once; its mode is 600 before anything is in it."""
    fresh = folder / f"{NAME}.new"
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(values, indent=2))
    fresh.rename(folder / NAME)
