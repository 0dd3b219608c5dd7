"""However `make run` or one of its processes ends, no child is left running."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

from deploy.local.stack import SHORTEST_LIFE_SECONDS
from tests.local.runs import command, environment, left_running, run_once, running
from tests.stack.processes import until


def test_the_children_of_a_killed_run_are_ended_at_once(
    checkout: Path, serving: subprocess.Popen[bytes]
) -> None:
    assert len(left_running(checkout)) >= 6
    serving.kill()
    serving.wait()
    until(lambda: left_running(checkout) == [], 40)


def guards(checkout: Path) -> list[psutil.Process]:
    return [process for process in running(checkout) if "deploy.local.guard" in process.cmdline()]


def test_children_left_without_a_guard_are_ended_by_the_next_run(
    checkout: Path, serving: subprocess.Popen[bytes]
) -> None:
    (guard,) = guards(checkout)
    guard.kill()
    serving.kill()
    serving.wait()
    assert len(left_running(checkout)) >= 5
    port = json.loads((checkout / ".local" / "stack.json").read_text())["api_url"].rpartition(":")[2]
    done = run_once(checkout, API_PORT=port)
    assert done.returncode == 0, done.stdout + done.stderr
    assert left_running(checkout) == []


def exit_codes(pid: int) -> list[int]:
    """That of this child, once it has ended."""
    found, status = os.waitpid(pid, os.WNOHANG)
    return [os.waitstatus_to_exitcode(status)] if found else []


def test_a_terminal_that_is_closed_stops_everything(checkout: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # These tests themselves may run under nohup.
        os.chdir(checkout)
        os.execvpe(sys.executable, command(), environment(checkout))
    shown = b""
    while b"serving" not in shown:
        shown += os.read(terminal, 4096)
    os.close(terminal)
    assert until(lambda: exit_codes(pid), 60) == [0]
    assert left_running(checkout) == []


def test_a_make_that_is_killed_takes_everything_with_it(checkout: Path) -> None:
    make = subprocess.Popen(
        ["make", "-f", "-", "all"],
        cwd=checkout,
        env=environment(checkout),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert make.stdin
    assert make.stdout
    make.stdin.write(f"all:\n\t@{' '.join(command())}\n".encode())
    make.stdin.close()
    assert any(b"serving" in line for line in make.stdout)
    make.kill()
    make.wait()
    until(lambda: left_running(checkout) == [], 60)


def test_a_process_that_ends_by_itself_is_started_again(
    checkout: Path, serving: subprocess.Popen[bytes]
) -> None:
    worker = next(p for p in psutil.Process(serving.pid).children() if p.cmdline()[-1] == "worker")
    metrics = json.loads((checkout / ".local" / "stack.json").read_text())["metrics"]["worker"]
    until(lambda: time.time() - worker.create_time() > SHORTEST_LIFE_SECONDS + 2)  # by another clock
    worker.kill()
    until(lambda: "worker ended by itself and was started again" in (checkout / "out").read_text())
    until(lambda: "til_engine_ready 1.0" in text_of(metrics), 30)
    serving.terminate()
    assert serving.wait(60) == 0
    assert left_running(checkout) == []


def text_of(url: str) -> str:
    try:
        return httpx.get(url).text
    except httpx.TransportError:
        return ""
