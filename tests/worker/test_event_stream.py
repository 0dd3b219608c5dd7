"""The parser of server-sent events against the WHATWG's text: each rule, and bytes that are cut anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.engines.event_stream import Event, EventStream, EventTooLong

RULES: list[tuple[str, bytes, list[str]]] = [
    ("lines end at LF", b"data: a\n\n", ["a"]),
    ("lines end at CR", b"data: a\r\r", ["a"]),
    ("lines end at CRLF", b"data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]),
    ("line ends may be mixed", b"data: a\n\r\ndata: b\r\n\n", ["a", "b"]),
    ("nothing else ends a line", "data: a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\n\n".encode(),
     ["a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"]),
    ("one byte order mark is dropped", b"\xef\xbb\xbfdata: a\n\n", ["a"]),
    ("a second one is not", b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", ["b"]),
    ("a comment says nothing", b": ping\n\n:\n\ndata: a\n: more\n\n", ["a"]),
    ("the lines of data are joined", b"data: {\ndata: }\n\n", ["{\n}"]),
    ("one space is dropped", b"data:  a\n\ndata:b\n\n", [" a", "b"]),
    ("empty data is an event", b"data:\n\ndata\n\n", ["", ""]),
    ("no data is none", b"event: ping\n\nid: 7\n\nretry: 10\n\n\n\n", []),
    ("unknown fields say nothing", b"dat: x\n data: y\nDATA: z\ndata: a\n\n", ["a"]),
    ("what no blank line ends is dropped", b"data: a\n\ndata: b\n", ["a"]),
    ("wrong bytes are replaced", b"data: a\xffb\n\n", ["a\ufffdb"]),
]  # fmt: skip


def read(*chunks: bytes) -> list[Event]:
    stream = EventStream(1000)
    return [event for chunk in chunks for event in stream.feed(chunk)]


@pytest.mark.parametrize(("rule", "data", "events"), RULES, ids=[rule for rule, _, _ in RULES])
def test_each_rule_also_byte_by_byte(rule: str, data: bytes, events: list[str]) -> None:
    assert rule
    assert [text for _, text in read(data)] == events
    assert [text for _, text in read(*(bytes([byte]) for byte in data))] == events


def test_an_empty_chunk_changes_nothing() -> None:
    assert read(b"data: a\r", b"", b"\n", b"", b"data: b\n\n") == [("message", "a\nb")]


def test_an_event_has_a_type_of_its_own_only() -> None:
    assert read(b"event: error\ndata: a\n\nevent: x\n\ndata: b\n\n") == [("error", "a"), ("message", "b")]


@given(
    st.lists(st.sampled_from(["data", "event", ":", " ", "a", "\u2028", "한", "\r", "\n", "\r\n", "id"])),
    st.data(),
)
def test_the_sizes_of_chunks_change_nothing(pieces: list[str], draw: st.DataObject) -> None:
    data = "".join(pieces).encode()
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=6)))
    parts = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert read(*parts) == read(data)


def test_an_event_without_an_end_is_refused() -> None:
    for endless in (b"x" * 100, b"data: x\n" * 10, b"data: " + b"x" * 50):
        stream = EventStream(1000)
        with pytest.raises(EventTooLong):
            [event for _ in range(100) for event in stream.feed(endless)]
    stream = EventStream(1000)
    for _ in range(100):
        assert list(stream.feed(b": " + b"x" * 100 + b"\n\n")) == []
