"""Checks before anything is started; each failure is one sentence for a person."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import urllib.request
from pathlib import Path
from typing import IO

from deploy.local.valkey import free_port


class CanNotRun(Exception):
    """The stack can't be run; the message is one sentence for a person."""


def check_git() -> None:
    """Raises CanNotRun if there is no git: the first post is written from this checkout's commits."""
    if shutil.which("git") is None:
        raise CanNotRun("git is missing: the first post is written from this checkout's own commits.")


def make_folder(folder: Path) -> None:
    """Make the folder and its `log`. Raises CanNotRun if this user can't write there."""
    try:
        folder.mkdir(mode=0o755, exist_ok=True)
        (folder / "log").mkdir(exist_ok=True)
    except OSError as error:
        raise CanNotRun(f"{folder} can't be made: {error.strerror}.") from error
    if not os.access(folder, os.W_OK) or not os.access(folder / "log", os.W_OK):
        owner = folder.stat().st_uid
        raise CanNotRun(f"{folder} belongs to another user (uid {owner}): remove it, or run as that user.")


def lock_folder(folder: Path) -> IO[str]:
    """Take the folder's lock, so that one `make run` uses it at a time. It is held while the returned file is
    open; the kernel releases it when the process ends. Raises CanNotRun."""
    try:
        lock = (folder / "lock").open("a+")
    except OSError as error:
        raise CanNotRun(f"{folder}/lock can't be opened: {error.strerror}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        pid = lock.read().strip() or "unknown"
        raise CanNotRun(f"Another `make run` serves from this checkout (process {pid}).") from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def port_of(variable: str, default: int) -> int:
    """The port in this environment variable (0: any free one). Raises CanNotRun if it is in use."""
    text = os.environ.get(variable, "") or str(default)
    if not text.isdecimal() or int(text) > 65_535:
        raise CanNotRun(f"{variable} is {text!r}, which is no port.")
    port = int(text)
    if port == 0:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CanNotRun(f"Port {port} is in use: set {variable} to another one, or to 0.") from error
    return port


def answers(url: str, text: str = "") -> bool:
    """Whether the URL answers 200, with `text` in it."""
    try:
        with urllib.request.urlopen(url, timeout=3) as response:  # noqa: S310 - our own loopback address
            return text in response.read().decode(errors="replace")
    except OSError:
        return False
