"""The JSON that a server answers: a stream of events as asked for, or one document, as some send anyway."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import httpx

from worker.engines import EngineFailed
from worker.engines.event_stream import BYTE_ORDER_MARK, Event, EventStream

LONGEST_ANSWER_BYTES = 32 * 1024 * 1024
"""All of it; some hundred bytes come around each token."""
LONGEST_EVENT_BYTES = 4 * 1024 * 1024
END = "[DONE]"


async def events_of(response: httpx.Response) -> AsyncGenerator[Any]:
    """The JSON of each event, END for the end that the protocol has. Raises EngineFailed, ValueError."""
    reader = Reader()
    async with contextlib.aclosing(chunks_of(response)) as chunks:
        async for chunk in chunks:
            for value in reader.feed(chunk):
                yield value
    for value in reader.end():
        yield value


async def chunks_of(response: httpx.Response) -> AsyncGenerator[bytes]:
    """The bytes as they come."""
    async for chunk in response.aiter_bytes():
        yield chunk


class Reader:
    """Bytes to JSON. The first character tells which of the two it is: content types can't be relied on."""

    def __init__(self) -> None:
        self._got = 0
        self._head = b""
        self._document: list[bytes] = []
        self._stream: EventStream | None = None

    def feed(self, chunk: bytes) -> Iterator[Any]:
        """What these bytes complete. Raises EngineFailed, ValueError."""
        self._got += len(chunk)
        if self._got > LONGEST_ANSWER_BYTES:
            raise EngineFailed("The model's server answered without an end.")
        if self._document:
            self._document.append(chunk)
            return
        if self._stream is None:
            self._head = chunk = (self._head + chunk).lstrip()
            if len(chunk) <= len(BYTE_ORDER_MARK):
                return
            if chunk.removeprefix(BYTE_ORDER_MARK).lstrip()[:1] in (b"{", b"[", b"<"):
                self._document.append(chunk)
                return
            self._stream = EventStream(LONGEST_EVENT_BYTES)
        for event in self._stream.feed(chunk):
            yield from _values(event)

    def end(self) -> Iterator[Any]:
        """What the end of the bytes completes."""
        if self._document or self._stream is None:
            yield from _document(b"".join(self._document) or self._head)


def _document(body: bytes) -> Iterator[Any]:
    text = body.removeprefix(BYTE_ORDER_MARK).decode("utf-8", "replace").strip()
    if text.startswith("<"):
        raise EngineFailed("The model's server answered with a page instead of a completion.")
    value = json.loads(text)
    yield from value if isinstance(value, list) else [value]
    yield END


def _values(event: Event) -> Iterator[Any]:
    """What an event says; one that says nothing is a heartbeat. Data of several events may be joined."""
    kind, data = event[0], event[1].strip()
    if not data:
        return
    for value in _json_of(data):
        if kind == "error" and value != END and not (isinstance(value, dict) and value.get("error")):
            yield {"error": value}
        else:
            yield value


def _json_of(data: str) -> list[Any]:
    try:
        return [END if data == END else json.loads(data)]
    except ValueError:
        lines = [line for line in data.split("\n") if line.strip()]
        if len(lines) == 1:
            raise
        return [value for line in lines for value in _json_of(line.strip())]
