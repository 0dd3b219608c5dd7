"""A client of a job's events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass(frozen=True)
class Event:
    """One event as it arrived."""

    name: str
    data: Any
    id: str | None


@dataclass
class Reader:
    """Does with events what the documentation tells a client to do."""

    text: str = ""
    last_id: str | None = None
    events: list[Event] = field(default_factory=list)

    def take(self, event: Event) -> None:
        """One more event."""
        self.events.append(event)
        self.last_id = event.id or self.last_id
        if event.name == "status" and event.data["status"] == "running":
            self.text = ""
        elif event.name == "text":
            self.text += event.data["delta"]

    def names(self) -> list[str]:
        """What came, repetitions left out."""
        names = [one.data["status"] if one.name == "status" else one.name for one in self.events]
        return [name for before, name in zip(["", *names], names, strict=False) if name != before]

    @contextmanager
    def listen(self, client: httpx.Client, job_id: str) -> Iterator[Iterator[Event]]:
        """Go on where this reader is."""
        headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
        with client.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers) as answer:
            assert answer.status_code == 200, answer.read()
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == (
                "no-store",
                "no",
            )
            yield self._taken(parsed(answer.iter_lines()))

    def _taken(self, events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            self.take(event)
            yield event

    def read_to_the_end(self, client: httpx.Client, job_id: str) -> dict[str, Any]:
        """The job that `end` brings."""
        with self.listen(client, job_id) as events:
            for _ in events:
                pass
        return self.ended()

    def ended(self) -> dict[str, Any]:
        """The same, when it has come."""
        assert self.events[-1].name == "end"
        job: dict[str, Any] = self.events[-1].data
        return job

    def read_some(self, client: httpx.Client, job_id: str, characters: int) -> None:
        """Hang up once the text is so long."""
        with self.listen(client, job_id) as events:
            for _ in events:
                if len(self.text) >= characters:
                    return
        raise AssertionError(f"it ended with {len(self.text)} characters")


def parsed(lines: Iterator[str]) -> Iterator[Event]:
    """The events of a stream."""
    fields: dict[str, str] = {}
    for line in lines:
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif not line and "event" in fields:
            yield Event(fields["event"], json.loads(fields["data"]), fields.get("id"))
            fields = {}
