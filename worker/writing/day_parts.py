"""Splits the changes of a day that is too large for one call into parts that fit one call each. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from til.tokens import size
from worker.engines import InputTooLarge
from worker.writing.prompt import TokenEstimator
from worker.writing.prompt_pieces import Piece

MOST_PARTS = 32
"""A day with more parts is `input_too_large`."""
PARTS_AT_ONCE = 4
FILL = 0.85
"""Parts are filled up to this share, since sizes are estimates; each is counted exactly before it is sent."""


def split(changes: Sequence[Piece], estimator: TokenEstimator, budget_tokens: int) -> list[list[Piece]]:
    """Parts of about `budget_tokens` at the most, in order. Raises InputTooLarge beyond `MOST_PARTS`."""
    most = int(budget_tokens * FILL * estimator.bytes_per_token)
    parts: list[list[Piece]] = [[]]
    left = most
    for piece in _cut_to_fit(changes, most):
        cost = size(piece.text) + _headers_size(piece, parts[-1])
        if cost > left and parts[-1]:
            parts.append([])
            left, cost = most, size(piece.text) + _headers_size(piece, [])
        if len(parts) > MOST_PARTS:
            raise InputTooLarge(InputTooLarge.__doc__)
        parts[-1].append(piece)
        left -= cost
    return parts


def _headers_size(piece: Piece, before: list[Piece]) -> int:
    """Bytes of the header lines that are written above the piece when it follows those `before`."""
    same_file = bool(before) and before[-1].file == piece.file
    same_commit = same_file and before[-1].commit == piece.commit
    return (0 if same_file else size(piece.file)) + (0 if same_commit else size(piece.commit))


def _cut_to_fit(changes: Sequence[Piece], part_bytes: int) -> Iterator[Piece]:
    """The pieces; one larger than a part is cut between lines, a line that is too long anywhere."""
    for piece in changes:
        most = max(64, part_bytes - size(piece.file) - size(piece.commit))
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
