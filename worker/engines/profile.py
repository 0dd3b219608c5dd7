"""Profiles: TOML files with vLLM's engine arguments for one model on one kind of GPU."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

BOUND_TO_THE_MODEL = {"revision", "tokenizer", "tokenizer_revision", "quantization", "hf_overrides"}
"""Keys of a profile that are ignored for another model than the profile's."""


class BadProfile(Exception):
    """The profile can't be read."""


def names() -> list[str]:
    """The profiles that come with the worker."""
    found = (Path(entry.name) for entry in files("worker.profiles").iterdir())
    return sorted(path.stem for path in found if path.suffix == ".toml")


def read(name: str) -> dict[str, Any]:
    """The engine arguments of a profile: one of `names()`, or the path of a TOML file. Raises BadProfile."""
    path = Path(name) if name.endswith(".toml") else files("worker.profiles") / f"{name}.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        known = ", ".join(names())
        raise BadProfile(
            f"TIL_PROFILE is {name!r}, which is neither a readable .toml file nor {known}."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadProfile(f"The profile {name} is no TOML: {error}.") from error


def merge(defaults: dict[str, Any], profile: dict[str, Any], explicit: dict[str, Any]) -> dict[str, Any]:
    """Engine arguments: a profile wins over the defaults, what was set explicitly wins over the profile."""
    if explicit.get("model", profile.get("model")) != profile.get("model"):
        profile = {key: value for key, value in profile.items() if key not in BOUND_TO_THE_MODEL}
    return defaults | profile | explicit
