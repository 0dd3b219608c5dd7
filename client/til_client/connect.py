"""From what a command was told to a connected client, and from expected errors to exit codes."""

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
class Told:
    """Which server was named on the command line or in the environment, if any."""

    url: str | None
    key: str | None


@contextmanager
def connected(context: typer.Context) -> Iterator[Client]:
    """The client of the server that was found; every expected error becomes a sentence and an exit code."""
    told: Told = context.obj
    try:
        server = find_server(told.url, told.key, Path.cwd())
        with Client(server.url, server.key, on_retry=tell_of_retry) as client:
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


def tell_of_retry(why: str, seconds: float) -> None:
    note(f"{why} - trying again in {seconds:g} s", "yellow")
