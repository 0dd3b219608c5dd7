"""`make run`: start everything, write a post from this checkout's latest day of commits, keep serving."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table

from base.secret_files import BadSecretFile
from deploy.local import checks, guard, leftovers
from deploy.local.checks import CanNotRun
from deploy.local.child import ChildFailed
from deploy.local.receiver import Receiver
from deploy.local.stack import LocalStack

CHECKOUT = Path(__file__).resolve().parent.parent.parent
WEBHOOK_SECONDS = 15
console = Console()


def main() -> int:
    """Exit code 0 when stopped, or with `--once` after the job; 1 with one sentence when it can't run."""
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--once", action="store_true", help="stop after the post")
    once = parser.parse_args().once
    stop_on_signals()
    try:
        checks.check_git()
        folder = CHECKOUT / ".local"
        checks.make_folder(folder)
        with checks.lock_folder(folder):
            leftovers.end_all(folder)
            return run(LocalStack(folder), once)
    except (CanNotRun, ChildFailed, BadSecretFile) as error:
        print(f"make run: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def stop_on_signals() -> None:
    """Stop as by Ctrl-C on SIGTERM, at the end of the terminal (not under nohup) and at the end of make."""
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, hung_up)
    guard.end_with_make()


def interrupted(_: int, __: FrameType | None) -> None:
    """Stop."""
    raise KeyboardInterrupt


def hung_up(_: int, __: FrameType | None) -> None:
    """Stop, with the output sent to /dev/null: writing to a terminal that is gone would fail."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(null, stream)
    raise KeyboardInterrupt


def run(stack: LocalStack, once: bool) -> int:
    """Start everything, run the first job, then serve. At the end, also after an error, stop everything."""
    began = time.monotonic()
    try:
        with console.status("starting PostgreSQL, Valkey, api, worker, steward, Flower …"):
            stack.start()
        console.print(table(stack))
        if once:
            main_job(stack, began)
        else:
            try_main_job(stack, began)
            serve(stack)
        return 0
    except KeyboardInterrupt:
        console.print("\nstopping …")
        return 0
    finally:
        stop(stack)


def stop(stack: LocalStack) -> None:
    """Stop gracefully; another Ctrl-C kills our own processes at once."""
    signal.signal(signal.SIGINT, lambda _, __: stack.kill())
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    stack.stop()


def table(stack: LocalStack) -> Table:
    """The addresses of everything, for the terminal."""
    rows = Table(show_header=False, title="til-queue", title_justify="left")
    rows.add_row("API", f"{stack.api_url}   (its document: {stack.api_url}/docs)")
    rows.add_row("development key", stack.secrets["api_key"])
    rows.add_row("Flower", f"{stack.flower_url}   (user dev, password {stack.flower_password})")
    metrics = ", ".join(f"{name} {port}" for name, port in stack.metrics.items())
    rows.add_row("metrics", f"http://127.0.0.1, ports: {metrics}")
    rows.add_row("engine", stack.engine())
    rows.add_row("data, logs, addresses", f"{stack.folder.name}/ (stack.json, log/)")
    if stack.opened:
        rows.add_row("opened to pass through", f"{', '.join(stack.opened)} (PostgreSQL can't run as root)")
    return rows


def main_job(stack: LocalStack, began: float) -> None:
    """Submit the latest day of this checkout with `til`; wait for its signed webhook. Raises CanNotRun."""
    receiver = Receiver(stack.secrets["webhook_secret"])
    try:
        til = Path(sys.executable).with_name("til")
        environment = {
            name: value for name, value in os.environ.items() if name not in ("TIL_URL", "TIL_KEY")
        }
        command = [str(til), "submit", str(CHECKOUT), "--webhook", receiver.url]
        done = subprocess.run(command, check=False, cwd=CHECKOUT, env=environment)  # noqa: S603
        if done.returncode:
            raise CanNotRun(f"til ended with exit code {done.returncode}, see above.")
        message_id = receiver.wait_for("til.succeeded", WEBHOOK_SECONDS)
        if message_id is None:
            raise CanNotRun(f"The job's webhook was not received within {WEBHOOK_SECONDS} s.")
        console.print(f"webhook til.succeeded received, signature verified ({message_id})")
        console.print(f"[green]done {time.monotonic() - began:.1f} s after the start[/green]")
    finally:
        receiver.close()


def try_main_job(stack: LocalStack, began: float) -> None:
    """As `main_job`, but only tell what went wrong: the stack serves others all the same."""
    try:
        main_job(stack, began)
    except CanNotRun as error:
        console.print(f"[red]{error}[/red]")


def serve(stack: LocalStack) -> None:
    """Until Ctrl-C, restart processes that end. Raises CanNotRun if one can't be kept running."""
    console.print("serving; Ctrl-C stops everything. Try: .venv/bin/til queue")
    while True:
        for child in stack.restart_ended():
            console.print(f"{child.name} ended by itself and was started again; see {child.log}")
        with contextlib.suppress(InterruptedError):
            time.sleep(0.5)
