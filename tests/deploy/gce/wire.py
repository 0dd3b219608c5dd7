"""Protobuf encoding of the messages of Terraform's plugin protocol 5 that the stand-in needs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LIST = 2
"""NestingMode of nested blocks."""


@dataclass(frozen=True)
class Attribute:
    """An argument or a read-only attribute. `kind`: its type in Terraform's JSON, e.g. `"string"`."""

    name: str
    kind: object
    required: bool = False
    computed: bool = False
    write_only: bool = False
    optional: bool = True

    def encoded(self) -> bytes:
        """A Schema.Attribute."""
        return b"".join(
            [
                field(1, self.name),
                field(2, json.dumps(self.kind)),
                field(4, self.required),
                field(5, self.optional and not self.required),
                field(6, self.computed and not self.required),
                field(10, self.write_only),
            ]
        )


def block(attributes: Iterable[Attribute], nested: Iterable[bytes] = ()) -> bytes:
    """A Schema.Block."""
    return b"".join([field(2, one.encoded()) for one in attributes] + [field(3, one) for one in nested])


def nested_block(name: str, inner: bytes, many: bool, required: bool) -> bytes:
    """A Schema.NestedBlock."""
    return field(1, name) + field(2, inner) + field(3, LIST) + field(4, required) + field(5, not many)


def schemas(provider: bytes, resources: dict[str, bytes], ephemeral: dict[str, bytes]) -> bytes:
    """A GetProviderSchema.Response of blocks."""
    kinds = [(2, resources), (8, ephemeral)]
    entries = [
        field(number, field(1, name) + field(2, field(2, one)))
        for number, found in kinds
        for name, one in found.items()
    ]
    return field(1, field(2, provider)) + b"".join(entries)


def field(number: int, value: bytes | str | int) -> bytes:
    """One field: an integer or a bool as varint, anything else length-delimited. 0 is omitted."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value) if value else b""
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def fields(message: bytes) -> dict[int, bytes]:
    """The length-delimited fields of a message by number; the last one of each number."""
    return dict(_fields(message))


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(message):
        key, at = _number(message, at)
        size, at = _number(message, at)
        if key & 7 == 2:
            yield key >> 3, message[at : at + size]
            at += size


def _number(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
