"""The API's address and key: from options or the environment, else from the file of a local stack."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

STACK_FILE = Path(".local") / "stack.json"
NO_SERVER = (
    "No til server is known: set TIL_URL and TIL_KEY (or pass --url and --key), "
    "or run this inside a checkout where the local stack has been started."
)


class ConfigError(Exception):
    """No usable address and key; the message is a sentence for a person."""


@dataclass(frozen=True)
class Server:
    """`url` has no trailing slash; `key` is left out of the repr."""

    url: str
    key: str = field(repr=False)


def find_server(url: str | None, key: str | None, folder: Path) -> Server:
    """The server to talk to. Raises `ConfigError`.

    A given URL is used with the given key only, never with a local stack's key. Without a URL, the nearest
    `.local/stack.json` (`api_url`, `api_key`) in `folder` or above is used; a given key replaces its key.
    """
    if url and not key:
        raise ConfigError("TIL_KEY (or --key) is missing: the server at TIL_URL asks for a key.")
    if url and key:
        return checked(url, key)
    path = nearest_stack_file(folder)
    if path is None:
        raise ConfigError(NO_SERVER)
    stack = read_stack_file(path)
    return checked(str(stack.get("api_url") or ""), key or str(stack.get("api_key") or ""), str(path))


def nearest_stack_file(folder: Path) -> Path | None:
    """The nearest `.local/stack.json`, in this folder or above."""
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
    """The server, if address and key are usable. Raises ConfigError: httpx would raise a traceback later."""
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
