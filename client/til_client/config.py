"""Where the API is and with which key: options or environment first, else a local stack's own file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

STACK_FILE = Path(".local") / "stack.json"
NOWHERE = (
    "No til server is known: set TIL_URL and TIL_KEY (or pass --url and --key), "
    "or run this inside a checkout where the local stack has been started."
)


class ConfigError(Exception):
    """The server cannot be told from what is given; the message is a sentence for a person."""


@dataclass(frozen=True)
class Server:
    """`url` without a trailing slash; the key stays out of every representation."""

    url: str
    key: str = field(repr=False)


def find_server(url: str | None, key: str | None, folder: Path) -> Server:
    """The server to talk to. Raises `ConfigError`.

    A URL that is given is used with the key that is given, and never with the local stack's key.
    Otherwise the nearest `.local/stack.json` (`api_url`, `api_key`), from `folder` upwards, is read.
    """
    if url and not key:
        raise ConfigError("TIL_KEY (or --key) is missing: the server at TIL_URL asks for a key.")
    if url and key:
        return checked(url, key)
    path = nearest_stack_file(folder)
    if path is None:
        raise ConfigError(NOWHERE)
    stack = read_stack_file(path)
    return checked(str(stack.get("api_url") or ""), key or str(stack.get("api_key") or ""), str(path))


def nearest_stack_file(folder: Path) -> Path | None:
    """The first `.local/stack.json` in this folder or those above it."""
    folder = folder.resolve()
    found = (place / STACK_FILE for place in (folder, *folder.parents))
    return next((path for path in found if path.is_file()), None)


def read_stack_file(path: Path) -> dict[str, Any]:
    try:
        stack = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {type(error).__name__}.") from None
    if not isinstance(stack, dict):
        raise ConfigError(f"{path} does not hold a JSON object.")
    return stack


def checked(url: str, key: str, source: str = "TIL_URL and TIL_KEY") -> Server:
    """Refused here with a sentence, rather than by the HTTP library with a trace."""
    url, key = url.strip().rstrip("/"), key.strip()
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"{source}: the URL must look like https://til.example.com.")
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(f"{source}: the key is empty or holds characters that no key has.")
    return Server(url, key)
