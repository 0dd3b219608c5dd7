"""The options of `til submit`, and the request body that is made of them."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from .commits import collect
from .terminal import note

Folder = Annotated[Path, typer.Argument(help="A git checkout.")]
Date = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="The day; without it, that of the latest commit."),
]
Author = Annotated[
    str | None, typer.Option(help="Only commits whose author's name or address contains this.")
]
Language = Annotated[str | None, typer.Option(help="Language of the post: ko, en, ja or zh.")]
Webhook = Annotated[str | None, typer.Option(metavar="URL", help="Where to send the job's end.")]
Priority = Annotated[int | None, typer.Option(help="Seconds of head start in the queue.")]
RunSeconds = Annotated[int | None, typer.Option(help="How long an attempt may run.")]
QueueSeconds = Annotated[int | None, typer.Option(help="Within how many seconds it must start.")]
Temperature = Annotated[float | None, typer.Option(help="Sampling temperature, 0 to 2.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the sampling.")]
Model = Annotated[str | None, typer.Option(help="A model alias that the server offers.")]
Metadata = Annotated[
    list[str] | None, typer.Option(metavar="K=V", help="Kept with the job; may be repeated.")
]
Request = Annotated[
    str | None, typer.Option(metavar="FILE", help="Submit this request body (JSON; - reads it from stdin).")
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Print the job's id and leave.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's JSON.")]
Timeout = Annotated[
    float | None,
    typer.Option(min=0, metavar="SECONDS", help="Wait no longer; the job keeps running (exit code 3)."),
]


def body_of(
    folder: Path, date: datetime | None, author: str | None, request: str | None, fields: dict[str, Any]
) -> dict[str, Any]:
    """The body to submit: read from a file or collected from commits, then updated with the given options.

    `fields`: request fields from options, None if not given. Raises `CollectError` and `typer.BadParameter`.
    """
    if request is not None and (date or author):
        raise typer.BadParameter("--date and --author choose commits; --request already holds them.")
    if request is not None:
        body = read_request(request)
    else:
        body = collect(folder, date.date() if date else None, author, say=note)
    sampling = {name: fields.pop(name) for name in ("temperature", "seed")}
    if options := given(sampling):
        body["options"] = {**(body.get("options") or {}), **options}
    return body | given(fields)


def given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def read_request(source: str) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        body = json.loads(text)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"--request {source} cannot be read as JSON: {error}") from None
    if not isinstance(body, dict):
        raise typer.BadParameter(f"--request {source} does not hold a JSON object.")
    return body


def pairs(texts: list[str] | None) -> dict[str, str] | None:
    """`["team=web"]` as `{"team": "web"}`; None if there are none. Raises `typer.BadParameter`."""
    if not texts:
        return None
    for text in texts:
        if "=" not in text:
            raise typer.BadParameter(f"--metadata takes K=V, not {text!r}.")
    return dict(text.split("=", 1) for text in texts)
