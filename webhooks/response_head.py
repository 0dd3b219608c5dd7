"""Reads the head of a webhook's response before aiohttp's parser does: bounded in size, and valid even when
what follows it is malformed."""

from __future__ import annotations

import asyncio
import functools
import re
from typing import Any

from aiohttp import ClientError, ClientPayloadError, TCPConnector
from aiohttp.client_proto import ResponseHandler

HEAD_BYTES = 64 * 1024
"""Of all heads of one response together: interim ones (`100 Continue`) and the final one."""
MOST_INTERIM = 20
END = re.compile(rb"\n\r?\n")
STATUS = re.compile(rb"\s*HTTP/1\.[01] +(\d\d\d)")
WITHOUT_BODY = (204, 304)
FRAMING = re.compile(rb"(?<=\n)(?:content-length|transfer-encoding|trailer)[ \t]*:[^\n]*\n", re.IGNORECASE)


class HeadTooLarge(ClientError):
    """The answer's head exceeds 64 KiB, or comes after more than 20 interim answers."""


class BoundedHandler(ResponseHandler):
    """The responses of one connection. An error after a complete head costs the connection, not the response.

    A 204 or 304 ends with its head, whatever that says (RFC 9112, section 6.3). A connection with bytes after
    the end of a response is closed, so that they are never read as the response to the next request.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._head = bytearray()
        self._heads_bytes = self._interim = 0
        self._in_head = self._surplus = False

    def is_connected(self) -> bool:
        """Whether it may be used for another request."""
        return super().is_connected() and not self._surplus

    def set_response_params(self, **params: Any) -> None:
        """Called by aiohttp before it sends a request."""
        self._head.clear()
        self._heads_bytes = self._interim = 0
        self._in_head = True
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Called with received bytes: split them into heads and body. Interim heads are dropped."""
        while data and self._in_head:
            data = self._read_head(data)
        if data:
            self._read_body(data)

    def _read_head(self, data: bytes) -> bytes:
        """Collect the bytes of a head. Returns those after its end."""
        before = len(self._head)
        self._head += data
        end = END.search(self._head, max(0, before - 2))
        length = end.end() if end else len(self._head)
        self._heads_bytes += length - before
        if self._heads_bytes > HEAD_BYTES or self._interim > MOST_INTERIM:
            self._refuse(HeadTooLarge(HeadTooLarge.__doc__))
            return b""
        if end is None:
            return b""
        head, rest = bytes(self._head[:length]), bytes(self._head[length:])
        self._head.clear()
        found = STATUS.match(head)
        status = int(found[1]) if found else 0
        if 100 <= status < 200 and status != 101:
            self._interim += 1
            return rest
        self._in_head = False
        if status in WITHOUT_BODY:
            return self._end_without_body(head, rest)
        super().data_received(head)
        return rest

    def _end_without_body(self, head: bytes, rest: bytes) -> bytes:
        unframed = FRAMING.sub(b"", head)
        if rest or unframed != head:
            self._surplus = True
            self.force_close()
        super().data_received(unframed)
        return b""

    def _read_body(self, data: bytes) -> None:
        payload = self._payload
        if payload is None or payload.is_eof():
            self._surplus = True
            self.force_close()
            return
        unread = len(self)
        super().data_received(data)
        self._surplus |= len(self) > unread
        if self.exception() is not None and not payload.is_eof():
            payload.set_exception(ClientPayloadError())

    def _refuse(self, error: Exception) -> None:
        self._in_head, self._surplus = False, True
        self._head.clear()
        self.set_exception(error)
        if self.transport is not None:
            self.transport.abort()


class Connector(TCPConnector):
    """A connector whose connections are read by `BoundedHandler`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = functools.partial(BoundedHandler, loop=self._loop)  # type: ignore[assignment]
