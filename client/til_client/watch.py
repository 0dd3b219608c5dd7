"""Follows a job to its end with long polls of a second, and shows its progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.status import Status

from .client import Client, Job
from .terminal import clean_line, is_interactive, note, notes, plain

ENDINGS = frozenset({"succeeded", "failed", "cancelled", "expired"})
# The server answers a long poll only at the job's end or after its time: short ones show progress.
POLL_SECONDS = 1
WAITING_FOR = {
    "capacity": "for a free worker",
    "cold_start": "for a worker to start",
    "worker_failing": "for workers that fail again and again",
    "tenant_limit": "for your own jobs to finish",
    "retry": "to be tried again",
    "paused": "because the queue is paused",
}

Show = Callable[[Job, float], None]


class StillRunning(Exception):
    """The time limit is over; the job keeps running."""


def watch(client: Client, job: Job, timeout_seconds: float | None = None) -> Job:
    """The ended job. Raises `StillRunning` after `timeout_seconds`, and the errors of `Client.job`."""
    began = time.monotonic()
    with showing() as show:
        while job["status"] not in ENDINGS:
            elapsed = time.monotonic() - began
            if timeout_seconds is not None and elapsed >= timeout_seconds:
                raise StillRunning
            show(job, elapsed)
            job = client.job(job["id"], wait=POLL_SECONDS)
    return job


@contextmanager
def showing() -> Iterator[Show]:
    """In a terminal one line that is updated; else a line on standard error at each change."""
    if is_interactive():
        with Status("", console=notes()) as status:
            yield lambda job, elapsed: status.update(plain(f"{line(job)} · {clock(elapsed)}"))
    else:
        yield changed_lines()


def changed_lines() -> Show:
    last = ""

    def show(job: Job, _elapsed: float) -> None:
        nonlocal last
        now = line(job, tokens=False)
        if now != last:
            note(now)
        last = now

    return show


def line(job: Job, tokens: bool = True) -> str:
    """`queued · 12 go first · waiting for a free worker`, or `running · summarise 1/3 · 410 tokens`."""
    parts = [job["status"]]
    if job.get("cancel_requested"):
        parts.append("asked to stop")
    if job["status"] == "queued":
        parts += queued_parts(job)
    progress = job.get("progress") or {}
    if progress.get("stage"):
        parts.append(f"{progress['stage']} {progress.get('done', 0)}/{progress.get('total', '?')}")
    if tokens and progress.get("completion_tokens"):
        parts.append(f"{progress['completion_tokens']} tokens")
    return clean_line(" · ".join(parts))


def queued_parts(job: Job) -> list[str]:
    parts = []
    if (position := job.get("position")) is not None:
        parts.append(f"about {position} go first" if position else "next in line")
    if reason := job.get("waiting_for"):
        parts.append(f"waiting {WAITING_FOR.get(reason, reason)}")
    wait = job.get("wait") or {}
    if wait.get("high_seconds") is not None:
        parts.append(f"{wait.get('low_seconds', 0):.0f}-{wait['high_seconds']:.0f} s")
    return parts


def clock(seconds: float) -> str:
    """`0:07`, `12:30`, `75:00`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
