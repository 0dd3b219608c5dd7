"""Limits of clients' connections: their number, and the time and size of a request's head."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from prometheus_client import Gauge
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

BACKLOG = 128
"""Length of the listening socket's queue; asyncio accepts as many in one turn of the event loop."""
RESERVED_FILES = 512
"""Files kept for PostgreSQL, Redis and logs, and for accepted connections that are about to be closed."""
SPARE = 64
"""Connections over the limit on which `/healthz` and `/readyz` are still answered, all else with 503."""
HEAD_SECONDS = 10
HEAD_BYTES = 64 * 1024
"""Limit of a head, and of other bytes that are no body: trailers, and sizes and extensions of chunks."""
LOG_EVERY_SECONDS = 10.0
OPEN = Gauge("til_connections", "Open connections of clients.")


class Connections:
    """All connections of clients of an api process. `files`: its limit of open files.

    A new connection over the limit closes the one that has waited longest for a request.
    """

    def __init__(self, files: int) -> None:
        self._most = max(files // 2, files - RESERVED_FILES)
        self._open: set[Connection] = set()
        self._waiting: dict[Connection, None] = {}

    @property
    def full(self) -> bool:
        """Whether the limit is reached: only the `SPARE` connections are left."""
        return len(self._open) > self._most

    def protocol(self) -> type[asyncio.Protocol]:
        """The protocol class for uvicorn's `http` option."""
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

    def set_waiting(self, one: Connection, waiting: bool) -> None:
        """Note whether it waits for a request: idle, or with an incomplete head."""
        if waiting:
            self._waiting.setdefault(one)
        else:
            self._waiting.pop(one, None)


class HeadTooLarge(Exception):
    """Raised in the parser's callbacks; uvicorn then answers 400 and closes the connection."""


class Connection(HttpToolsProtocol):
    """One client's connection. It is closed if a head is not complete within `HEAD_SECONDS` or is larger
    than `HEAD_BYTES`: httptools has no such limits.
    """

    all: Connections

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_timer: asyncio.TimerHandle | None = None
        self._unread_bytes = self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected; the time for its first head begins."""
        super().connection_made(transport)
        self._await_head()
        self.all.add(self)
        self.all.set_waiting(self, not transport.is_closing())

    def data_received(self, data: bytes) -> None:
        """Bytes have arrived."""
        self._unread_bytes += len(data)
        super().data_received(data)
        if self._unread_bytes > HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head is too large.")
        serving = self.cycle is not None and not self.cycle.response_complete
        if serving:
            self._stop_timer()
        elif self._head_timer is None and not self.transport.is_closing():
            self._await_head()
        self.all.set_waiting(self, not (serving or self.transport.is_closing()))

    def on_message_begin(self) -> None:
        """A head begins."""
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of the request line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
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
        """A part of the body, whose limit is in `api.middleware`."""
        self._unread_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._unread_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A request has been answered; uvicorn closes the connection if no other one begins soon."""
        super().on_response_complete()
        serving = self.cycle is not None and not self.cycle.response_complete
        self.all.set_waiting(self, not (serving or self.transport.is_closing()))

    def connection_lost(self, exc: Exception | None) -> None:
        """It has been closed, by either side."""
        self._stop_timer()
        self.all.remove(self)
        super().connection_lost(exc)

    def drop(self) -> None:
        """Close it now; unsent data is lost."""
        self.all.set_waiting(self, False)
        self.transport.abort()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self.drop)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class QuietErrors:
    """The event loop's exception handler. Out of files, asyncio reports an OSError for every connection."""

    def __init__(self) -> None:
        self._logged_at = float("-inf")

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log the error; OSErrors at most once in `LOG_EVERY_SECONDS`."""
        if isinstance(context.get("exception"), OSError):
            if time.monotonic() - self._logged_at < LOG_EVERY_SECONDS:
                return
            self._logged_at = time.monotonic()
        loop.default_exception_handler(context)
