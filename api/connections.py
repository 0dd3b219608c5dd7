"""The connections of clients: fewer than there are files, and none waits long for the head of a request."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from prometheus_client import Gauge
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

BACKLOG = 128
"""So many connections wait to be accepted, and as many are accepted in one turn of the event loop."""
RESERVED_FILES = 512
"""For PostgreSQL, Redis and the log, and for connections accepted that are to be closed in the next turns."""
SPARE = 64
"""Connections over the limit on which `/healthz` and `/readyz` are still answered, all else with 503."""
HEAD_SECONDS = 10
HEAD_BYTES = 64 * 1024
"""Of a head, or of what else is no body: trailers; sizes and extensions of chunks between two parts of it."""
LOG_EVERY_SECONDS = 10.0
OPEN = Gauge("til_connections", "Open connections of clients.")


class Connections:
    """All of an api. `files`: how many it may have open.

    Where a new one is too many, the one that has waited longest for a request's head is closed for it.
    """

    def __init__(self, files: int) -> None:
        self._most = max(files // 2, files - RESERVED_FILES)
        self._open: set[Connection] = set()
        self._waiting: dict[Connection, None] = {}

    @property
    def full(self) -> bool:
        """Whether only `SPARE` ones are left."""
        return len(self._open) > self._most

    def protocol(self) -> type[asyncio.Protocol]:
        """The class that uvicorn makes of each connection."""
        return type("BoundedConnection", (Connection,), {"all": self})

    def add(self, one: Connection) -> None:
        """A client has connected."""
        self._open.add(one)
        OPEN.set(len(self._open))
        if len(self._open) > self._most and self._waiting:
            next(iter(self._waiting)).drop()
        elif len(self._open) > self._most + SPARE:
            one.drop()

    def remove(self, one: Connection) -> None:
        """It is closed."""
        self._open.discard(one)
        self._waiting.pop(one, None)
        OPEN.set(len(self._open))

    def waits(self, one: Connection, waits: bool) -> None:
        """Whether it waits for a request, idle or with half a head."""
        if waits:
            self._waiting.setdefault(one)
        else:
            self._waiting.pop(one, None)


class HeadTooLarge(Exception):
    """The parser answers 400 and closes the connection."""


class Connection(HttpToolsProtocol):
    """One client's connection. A head that does not come whole in `HEAD_SECONDS`, or is larger than
    `HEAD_BYTES`, ends it: httptools itself bounds neither.
    """

    all: Connections

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_timer: asyncio.TimerHandle | None = None
        self._unread_bytes = self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected: its first head is waited for."""
        super().connection_made(transport)
        self._await_head()
        self.all.add(self)
        self.all.waits(self, not transport.is_closing())

    def data_received(self, data: bytes) -> None:
        """Some of a head, of a body, or of what comes after it."""
        self._unread_bytes += len(data)
        super().data_received(data)
        if self._unread_bytes > HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head is too large.")
        serving = self.cycle is not None and not self.cycle.response_complete
        if serving:
            self._stop_timer()
        elif self._head_timer is None and not self.transport.is_closing():
            self._await_head()
        self.all.waits(self, not (serving or self.transport.is_closing()))

    def on_message_begin(self) -> None:
        """A head begins."""
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the request's line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head, or a trailer."""
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > HEAD_BYTES:
            raise HeadTooLarge

    def on_headers_complete(self) -> None:
        """The request is served from now on."""
        self._unread_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body, which is bounded where it is read."""
        self._unread_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request has come whole."""
        self._unread_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A request has been answered; uvicorn closes the connection where no other one begins soon."""
        super().on_response_complete()
        serving = self.cycle is not None and not self.cycle.response_complete
        self.all.waits(self, not (serving or self.transport.is_closing()))

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed, by whomever."""
        self._stop_timer()
        self.all.remove(self)
        super().connection_lost(exc)

    def drop(self) -> None:
        """Close it now, whatever was to be sent."""
        self.all.waits(self, False)
        self.transport.abort()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self.drop)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class QuietErrors:
    """The event loop's handler of errors: asyncio tells of each connection that it had no file for."""

    def __init__(self) -> None:
        self._told = float("-inf")

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log it; no more than one OSError every `LOG_EVERY_SECONDS`."""
        if isinstance(context.get("exception"), OSError):
            if time.monotonic() - self._told < LOG_EVERY_SECONDS:
                return
            self._told = time.monotonic()
        loop.default_exception_handler(context)
