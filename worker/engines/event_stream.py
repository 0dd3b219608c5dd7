"""A parser of server-sent events after the WHATWG's specification, for bytes that are cut anywhere.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LINE_END = re.compile(rb"\r\n|\r|\n")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
Event = tuple[str, str]
"""The type (`message` if none is given) and the data."""


class EventTooLong(ValueError):
    """An event has more bytes than are allowed."""


class EventStream:
    """Parses one stream. An event may have `longest_bytes` at the most."""

    def __init__(self, longest_bytes: int) -> None:
        self._longest_bytes = longest_bytes
        self._line: list[bytes] = []
        self._type = ""
        self._data: list[str] = []
        self._held = 0
        self._first = True
        self._after_cr = False

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that are complete with these bytes. Raises EventTooLong."""
        if not chunk:
            return
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._after_cr = chunk.endswith(b"\r")
        *ends, rest = LINE_END.split(chunk)
        for end in ends:
            self._hold(end)
            line, self._line = b"".join(self._line), []
            if event := self._read(line):
                yield event
        self._hold(rest)

    def _hold(self, part: bytes) -> None:
        self._held += len(part)
        if self._held > self._longest_bytes:
            raise EventTooLong
        self._line.append(part)

    def _read(self, line: bytes) -> Event | None:
        """Process one line, without its line end. Returns an event if the line ends one that has data."""
        if self._first:
            self._first, line = False, line.removeprefix(BYTE_ORDER_MARK)
        if not line:
            return self._dispatch()
        name, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        else:
            self._held -= len(line)
            self._type = value if name == "event" else self._type
        return None

    def _dispatch(self) -> Event | None:
        event, data = self._type or "message", self._data
        self._type, self._data, self._held = "", [], 0
        return (event, "\n".join(data)) if data else None
