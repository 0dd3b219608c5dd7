"""The JSON values of a server's response: a stream of events, or one document, as some servers send."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import httpx

from worker.engines import EngineFailed
from worker.engines.event_stream import BYTE_ORDER_MARK, Event, EventStream

LONGEST_ANSWER_BYTES = 32 * 1024 * 1024
"""Of a whole response; a token comes in an event of some hundred bytes."""
LONGEST_EVENT_BYTES = 4 * 1024 * 1024
END = "[DONE]"


async def events_of(response: httpx.Response) -> AsyncGenerator[Any]:
    """The JSON of each event, and END for `[DONE]`. Raises EngineFailed, ValueError."""
    reader = ResponseReader()
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


class ResponseReader:
    """Turns bytes into JSON values. Whether it is a stream is decided by the first character, since content
    types can't be relied on."""

    def __init__(self) -> None:
        self._got = 0
        self._head = b""
        self._document: list[bytes] = []
        self._stream: EventStream | None = None

    def feed(self, chunk: bytes) -> Iterator[Any]:
        """The values that are complete with these bytes. Raises EngineFailed, ValueError."""
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
        """The values that are complete with the end of the response. Raises EngineFailed, ValueError."""
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
    """The values of an event: none for a heartbeat, several if a server has joined the data of events."""
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
