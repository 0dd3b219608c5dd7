"""The head of a webhook's answer, read before aiohttp's parser: bounded, and complete whatever follows it."""

from __future__ import annotations

import asyncio
import functools
import re
from typing import Any

from aiohttp import ClientError, ClientPayloadError, TCPConnector
from aiohttp.client_proto import ResponseHandler

HEAD_BYTES = 64 * 1024
"""Of all heads of one answer together: interim ones (`100 Continue`) and the final one."""
MOST_INTERIM = 20
END = re.compile(rb"\n\r?\n")
STATUS = re.compile(rb"\s*HTTP/1\.[01] +(\d\d\d)")
WITHOUT_BODY = (204, 304)
FRAMING = re.compile(rb"(?<=\n)(?:content-length|transfer-encoding|trailer)[ \t]*:[^\n]*\n", re.IGNORECASE)


class HeadTooLarge(ClientError):
    """The answer's head exceeds 64 KiB, or comes after more than 20 interim answers."""


class Answer(ResponseHandler):
    """One connection's answers. What is odd after the end of a complete head ends the connection only.

    A 204 or 304 ends with its head, whatever that says (RFC 9112, section 6.3). Bytes that nobody has asked
    for are never the answer to the next request: a connection that has brought some isn't used again.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._head = bytearray()
        self._heads_bytes = self._interim = 0
        self._in_head = self._surplus = False

    def is_connected(self) -> bool:
        """Whether it may serve one more request."""
        return super().is_connected() and not self._surplus

    def set_response_params(self, **params: Any) -> None:
        """A request is about to be sent."""
        self._head.clear()
        self._heads_bytes = self._interim = 0
        self._in_head = True
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Split what comes into heads and body. Interim heads are dropped."""
        while data and self._in_head:
            data = self._read_head(data)
        if data:
            self._read_body(data)

    def _read_head(self, data: bytes) -> bytes:
        """Gather a head; what follows its end."""
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
        bare = FRAMING.sub(b"", head)
        if rest or bare != head:
            self._surplus = True
            self.force_close()
        super().data_received(bare)
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
    """A connector whose connections read answers so."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = functools.partial(Answer, loop=self._loop)  # type: ignore[assignment]
