"""Connects a command to the server, and turns expected errors into exit codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from .client import ApiError, Client, Unreachable
from .config import ConfigError, find_server
from .git import CollectError
from .show import show_api_error
from .terminal import note

FAILED, MISUSED = 1, 2


@dataclass(frozen=True)
class ServerOptions:
    """Address and key from the command line or the environment; None: not given."""

    url: str | None
    key: str | None


@contextmanager
def connected(context: typer.Context) -> Iterator[Client]:
    """A client of the server; an expected error in the block becomes a sentence and an exit code."""
    given: ServerOptions = context.obj
    try:
        server = find_server(given.url, given.key, Path.cwd())
        with Client(server.url, server.key, on_retry=note_retry) as client:
            yield client
    except (ConfigError, CollectError) as error:
        note(str(error), "red")
        raise typer.Exit(MISUSED) from None
    except ApiError as error:
        show_api_error(error)
        raise typer.Exit(FAILED) from None
    except Unreachable as error:
        note(str(error), "red")
        raise typer.Exit(FAILED) from None


def note_retry(why: str, seconds: float) -> None:
    note(f"{why} - trying again in {seconds:g} s", "yellow")
