"""The client of til-queue: it reads a day's commits from a checkout and talks to the API over HTTP only.

commits ──► client ─(HTTP)─► api          cli, options: the commands; watch, show, terminal: the output
"""

from __future__ import annotations

from .client import ApiError, Client, Unreachable
from .commits import collect
from .git import CollectError

__all__ = ["ApiError", "Client", "CollectError", "Unreachable", "collect"]
