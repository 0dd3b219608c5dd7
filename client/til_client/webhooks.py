"""`til webhooks`: rotate the signing secret; verify and receive webhooks on this machine."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Annotated, Any

import typer
from standardwebhooks import Webhook, WebhookVerificationError

from .connect import FAILED, MISUSED, connected
from .options import AsJson
from .show import show_json
from .terminal import clean, clean_line, json_text, note, output

LARGEST_BYTES = 16 * 1024 * 1024
DAY_SECONDS = 86_400

app = typer.Typer(no_args_is_help=True, help="Webhooks: the signing secret; verify; receive on this machine.")
Secret = Annotated[
    str | None,
    typer.Option(envvar="TIL_WEBHOOK_SECRET", help="whsec_...; TIL_WEBHOOK_SECRET keeps it unseen."),
]


class BadRequest(Exception):
    """The text is not an HTTP request."""


def verifier(secret: str | None) -> Webhook:
    """Verifies signatures made with `secret`. Exit code 2 if it is not a signing secret."""
    if secret and re.fullmatch(r"whsec_[A-Za-z0-9+/]{16,}={0,2}", secret):
        return Webhook(secret)
    note("A signing secret is needed: --secret or TIL_WEBHOOK_SECRET, whsec_...", "red")
    raise typer.Exit(MISUSED)


def split_request(raw: str) -> tuple[dict[str, str], str]:
    """Headers (names in lower case) and body of an HTTP request; its request line may be missing."""
    head, *rest = re.split(r"\r?\n\r?\n", raw, maxsplit=1)
    lines = [line for line in re.split(r"\r?\n", head) if ":" in line.split(" ")[0]]
    if not rest or not lines:
        raise BadRequest
    pairs = [line.split(":", 1) for line in lines]
    return {name.strip().lower(): value.strip() for name, value in pairs}, rest[0].removesuffix("\n")


@app.command()
def rotate(
    context: typer.Context,
    overlap_seconds: Annotated[
        int, typer.Option(min=0, max=7 * DAY_SECONDS, help="For how long the old secret signs too.")
    ] = DAY_SECONDS,
    as_json: AsJson = False,
) -> None:
    """Make a new signing secret and print it. It can't be shown again."""
    with connected(context) as client:
        made = client.rotate_webhook_secret(overlap_seconds)
        if as_json:
            show_json(made)
            return
        typer.echo(clean_line(made["secret"]))
        note(f"Shown once. The old secret signs too until {made['previous_valid_until'] or 'now'}.")


@app.command()
def verify(secret: Secret = None) -> None:
    """Check a received request, headers and body, on standard input. Exit code 1: not genuine."""
    check = verifier(secret)
    try:
        headers, body = split_request(sys.stdin.read(LARGEST_BYTES))
        message = check.verify(body, headers)
    except BadRequest:
        note("Not understood: expected the headers, an empty line, and the body.", "red")
        raise typer.Exit(MISUSED) from None
    except (WebhookVerificationError, ValueError) as error:
        note(f"Not genuine: {error}", "red")
        raise typer.Exit(FAILED) from None
    typer.echo(clean_line(f"genuine: {message.get('type')} {headers['webhook-id']}"))


@app.command()
def listen(
    secret: Secret = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any free one.")] = 9000,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many.")] = None,
    as_json: AsJson = False,
) -> None:
    """Receive webhooks on 127.0.0.1, verify each, and print it."""
    check = verifier(secret)
    received: list[bool] = []

    def take(headers: dict[str, str], body: str) -> int:
        genuine = show_message(check, headers, body, as_json)
        received.append(genuine)
        return 204 if genuine else 400

    with HTTPServer(("127.0.0.1", port), handler(take)) as server:
        note(f"listening on http://127.0.0.1:{server.server_port}/")
        try:
            while count is None or len(received) < count:
                server.handle_request()
        except KeyboardInterrupt:
            note("stopped")
    if not all(received):
        raise typer.Exit(FAILED)


def show_message(check: Webhook, headers: dict[str, str], body: str, as_json: bool) -> bool:
    """Print one message, or why its signature is wrong. Whether it is genuine."""
    try:
        message: dict[str, Any] = check.verify(body, headers)
    except (WebhookVerificationError, ValueError) as error:
        note(f"not genuine: {error}", "red")
        return False
    if as_json:
        typer.echo(json.dumps(message, ensure_ascii=True))
        return True
    job = message.get("data", {})
    about = f"{message.get('type')} {headers['webhook-id']} job {job.get('id')} {job.get('repo')}"
    output().print(clean_line(about), style="bold green")
    result = job.get("result") or {}
    output().print(clean(result.get("content") or json_text(job.get("error") or job.get("progress"))))
    return True


def handler(take: Callable[[dict[str, str], str], int]) -> type[BaseHTTPRequestHandler]:
    """A request handler that calls `take` with each POST and answers with the status that it returns."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_POST(self) -> None:
            """One webhook."""
            length = int(self.headers.get("content-length") or 0)
            status = 413
            if length <= LARGEST_BYTES:
                body = self.rfile.read(length).decode(errors="replace")
                status = take({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing: `take` prints."""

    return Handler
