"""A day that is too large for one call, in parts that fit one call each. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from til.tokens import size
from worker.engines import InputTooLarge
from worker.writing.prompt import TokenEstimator
from worker.writing.prompt_pieces import Piece

MOST_PARTS = 32
"""The stated bound: a day with more is `input_too_large`."""
PARTS_AT_ONCE = 4
FILL = 0.85
"""Parts are cut by estimate, and each is counted exactly before it is sent."""


def split(changes: Sequence[Piece], estimator: TokenEstimator, room_tokens: int) -> list[list[Piece]]:
    """Parts of about `room_tokens` at the most, in order. Raises InputTooLarge beyond `MOST_PARTS`."""
    room = int(room_tokens * FILL * estimator.bytes_per_token)
    parts: list[list[Piece]] = [[]]
    left = room
    for piece in _small(changes, room):
        cost = size(piece.text) + _heads(piece, parts[-1])
        if cost > left and parts[-1]:
            parts.append([])
            left, cost = room, size(piece.text) + _heads(piece, [])
        if len(parts) > MOST_PARTS:
            raise InputTooLarge(InputTooLarge.__doc__)
        parts[-1].append(piece)
        left -= cost
    return parts


def _heads(piece: Piece, before: list[Piece]) -> int:
    same_file = bool(before) and before[-1].file == piece.file
    same_commit = same_file and before[-1].commit == piece.commit
    return (0 if same_file else size(piece.file)) + (0 if same_commit else size(piece.commit))


def _small(changes: Sequence[Piece], room: int) -> Iterator[Piece]:
    """The pieces, those that no part can hold cut at lines; a line that is too long is cut anywhere."""
    for piece in changes:
        most = max(64, room - size(piece.file) - size(piece.commit))
        if size(piece.text) <= most:
            yield piece
        else:
            yield from (replace(piece, text=text) for text in _cuts(piece.text, most))


def _cuts(text: str, most: int) -> Iterator[str]:
    gathered, length = list[str](), 0
    for line in text.removesuffix("\n").split("\n"):
        for begin in range(0, len(line), most // 4):
            bit = line[begin : begin + most // 4]
            bit = f"{bit}\n" if begin == 0 else f" {bit}\n"
            if length + size(bit) > most and gathered:
                yield "".join(gathered)
                gathered, length = [], 0
            gathered.append(bit)
            length += size(bit)
    if gathered:
        yield "".join(gathered)
