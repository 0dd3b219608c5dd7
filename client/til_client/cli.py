"""The commands of `til`. Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 still running."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Annotated

import typer

from . import options
from .client import ApiError, Client, Job, Unreachable
from .config import find_server
from .connect import FAILED, ServerOptions, connected
from .options import AsJson, Timeout
from .show import show_ending, show_job, show_jobs, show_json, show_queue
from .terminal import clean_line, note
from .watch import StillRunning, watch
from .webhooks import app as webhooks

STILL_RUNNING, INTERRUPTED = 3, 130

app = typer.Typer(
    name="til",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A day's git commits in, a TIL post out.",
)

app.add_typer(webhooks, name="webhooks")
Id = Annotated[uuid.UUID, typer.Argument(metavar="ID", help="The job's id.")]


@app.callback()
def top(
    context: typer.Context,
    url: Annotated[str | None, typer.Option(envvar="TIL_URL", help="The API's address.")] = None,
    key: Annotated[
        str | None, typer.Option(envvar="TIL_KEY", help="The API key; TIL_KEY keeps it unseen.")
    ] = None,
) -> None:
    context.obj = ServerOptions(url, key)


@app.command()
def submit(
    context: typer.Context,
    folder: options.Folder = Path(),
    date: options.Date = None,
    author: options.Author = None,
    language: options.Language = None,
    webhook: options.Webhook = None,
    priority: options.Priority = None,
    run_seconds: options.RunSeconds = None,
    queue_seconds: options.QueueSeconds = None,
    temperature: options.Temperature = None,
    seed: options.Seed = None,
    model: options.Model = None,
    metadata: options.Metadata = None,
    request: options.Request = None,
    no_wait: options.NoWait = False,
    as_json: AsJson = False,
    timeout: Timeout = None,
) -> None:
    """Submit a day's commits and print the post that is written from them."""
    fields = {
        "language": language,
        "webhook": {"url": webhook} if webhook else None,
        "priority": priority,
        "run_seconds": run_seconds,
        "queue_seconds": queue_seconds,
        "temperature": temperature,
        "seed": seed,
        "model": model,
        "metadata": options.pairs(metadata),
    }
    with connected(context) as client:
        body = options.body_of(folder, date, author, request, fields)
        note_submission(context, body)
        job = client.submit(body)
        if no_wait:
            show_json(job) if as_json else typer.echo(clean_line(job["id"]))
        else:
            follow(client, job, as_json, timeout)


@app.command()
def show(context: typer.Context, job_id: Id, as_json: AsJson = False) -> None:
    """Show a job as it is now, with its post if there is one."""
    with connected(context) as client:
        job = client.job(str(job_id))
        show_json(job) if as_json else show_job(job)


@app.command()
def wait(context: typer.Context, job_id: Id, as_json: AsJson = False, timeout: Timeout = None) -> None:
    """Wait for a job's end and print its post."""
    with connected(context) as client:
        follow(client, client.job(str(job_id)), as_json, timeout)


@app.command(name="list")
def list_jobs(
    context: typer.Context,
    status: Annotated[str | None, typer.Option(help="queued, running, succeeded, failed, ...")] = None,
    repo: Annotated[str | None, typer.Option(help="owner/name")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    with connected(context) as client:
        page = client.jobs(status=status, repo=repo, limit=limit)
        show_json(page) if as_json else show_jobs(page["jobs"])


@app.command()
def cancel(context: typer.Context, job_id: Id) -> None:
    """Cancel a queued job, or ask a running one to stop."""
    with connected(context) as client:
        job = client.cancel(str(job_id))
        note("cancelled" if job["status"] == "cancelled" else f"{job['status']}, asked to stop")


@app.command()
def queue(context: typer.Context, as_json: AsJson = False) -> None:
    """Show how much is waiting and running."""
    with connected(context) as client:
        figures = client.queue()
        show_json(figures) if as_json else show_queue(figures)


def follow(client: Client, job: Job, as_json: bool, timeout_seconds: float | None) -> None:
    """Waits for the job's end and shows it. When interrupted, or out of time, the job keeps running."""
    try:
        job = watch(client, job, timeout_seconds)
    except KeyboardInterrupt:
        note_still_running(job)
        raise typer.Exit(INTERRUPTED) from None
    except StillRunning:
        note_still_running(job)
        raise typer.Exit(STILL_RUNNING) from None
    except (ApiError, Unreachable):
        note_still_running(job)
        raise
    show_json(job) if as_json else show_ending(job)
    if job["status"] != "succeeded":
        raise typer.Exit(FAILED)


def note_submission(context: typer.Context, body: Job) -> None:
    # The server is named, too: it may come from a stack.json that somebody else wrote, and gets the code.
    server = find_server(context.obj.url, context.obj.key, Path.cwd())
    files = body.get("files")
    count = len(files) if isinstance(files, list) else 0
    note(
        f"{body.get('repo')} on {body.get('date')}: {count} changed file{'s' * (count != 1)} to {server.url}"
    )


def note_still_running(job: Job) -> None:
    note(f"The job keeps running: til wait {job['id']} (or til show, til cancel)")


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
