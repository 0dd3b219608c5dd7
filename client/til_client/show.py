"""Prints the post, a job, the table of jobs, the queue, an error."""

from __future__ import annotations

import sys
from typing import Any

from rich.markdown import Markdown
from rich.table import Table

from .client import ApiError, Job
from .terminal import clean, clean_line, json_text, note, output, plain

STYLES = {
    "succeeded": "green",
    "running": "cyan",
    "failed": "red",
    "expired": "red",
    "cancelled": "yellow",
    "queued": "",
}


def show_json(value: Any) -> None:
    """JSON on standard output, as the API sent it."""
    sys.stdout.write(json_text(value) + "\n")


def show_post(markdown: str) -> None:
    """Rendered for a person; the markdown itself in a pipe."""
    text = clean(markdown)
    if sys.stdout.isatty():
        # Without hyperlinks rich prints the addresses: a post must not hide where a link leads.
        output().print(Markdown(text, hyperlinks=False))
    else:
        sys.stdout.write(text.rstrip("\n") + "\n")


def show_ending(job: Job) -> None:
    """The post of a job that succeeded; otherwise its error on standard error."""
    if job["status"] == "succeeded":
        show_post((job.get("result") or {}).get("content") or "")
        return
    note(ending(job), "red")
    if job.get("partial_text"):
        note(f"What was written until then: til show {job['id']}")


def ending(job: Job) -> str:
    """`failed: engine_timeout: The engine ...`"""
    error = job.get("error") or {}
    return ": ".join([job["status"], *(str(error[key]) for key in ("code", "message") if error.get(key))])


def show_job(job: Job) -> None:
    """The job's fields, then its post or its partial text."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts(job):
        if value not in (None, ""):
            table.add_row(name, plain(value, STYLES.get(job["status"], "") if name == "status" else ""))
    output().print(table)
    if text := (job.get("result") or {}).get("content") or job.get("partial_text"):
        sys.stdout.write("\n")
        sys.stdout.flush()
        show_post(text)


def facts(job: Job) -> list[tuple[str, Any]]:
    usage = job.get("usage") or {}
    error = job.get("error") or {}
    webhook = job.get("webhook") or {}
    made = job.get("provenance") or {}
    return [
        ("id", job["id"]),
        ("status", job["status"]),
        ("error", ": ".join(str(error[key]) for key in ("code", "message") if error.get(key))),
        ("commits", f"{job.get('repo')} on {job.get('date')} by {job.get('username')}"),
        ("created", job.get("created_at")),
        ("started", job.get("started_at")),
        ("finished", job.get("finished_at")),
        ("attempts", job.get("attempts") or None),
        ("position", job.get("position")),
        ("waiting for", job.get("waiting_for")),
        ("made by", " ".join(str(made[key]) for key in ("engine", "model") if made.get(key))),
        ("tokens", f"{usage['prompt_tokens']} in, {usage['completion_tokens']} out" if usage else None),
        ("redacted", sum(row.get("count", 0) for row in job.get("redactions") or []) or None),
        ("webhook", f"{webhook.get('state')} to {webhook.get('url')}" if webhook.get("url") else None),
    ]


def show_jobs(jobs: list[Job]) -> None:
    """A table, newest first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("id", "status", "date"):
        table.add_column(heading, no_wrap=True)
    table.add_column("repo", overflow="ellipsis", no_wrap=True)
    table.add_column("post", overflow="ellipsis", no_wrap=True)
    for job in jobs:
        outcome = (job.get("result") or {}).get("title") or (job.get("error") or {}).get("code") or ""
        status = plain(job["status"], STYLES.get(job["status"], ""))
        date, repo = plain(job.get("date")), plain(job.get("repo"))
        table.add_row(plain(job["id"]), status, date, repo, plain(outcome))
    output().print(table)


def show_queue(queue: dict[str, Any]) -> None:
    """One number a row, in the API's order."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right")
    for name, value in queue.items():
        number = "-" if value is None else f"{value:.1f}" if isinstance(value, float) else value
        table.add_row(plain(name.replace("_", " ")), plain(number))
    output().print(table)


def show_api_error(error: ApiError) -> None:
    """The problem's code and detail, each wrong field, and the id to look for in the server's logs."""
    note(f"Error {error.status} {error.code}: {error.detail}", "red")
    for field in error.errors:
        note(f"  {field.get('pointer', '')}: {clean_line(field.get('message') or field.get('detail') or '')}")
    if error.retry_after is not None:
        note(f"  Try again in {error.retry_after:.0f} seconds.")
    if error.request_id:
        note(f"  request id {error.request_id}")
