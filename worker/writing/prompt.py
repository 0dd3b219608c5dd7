"""Packs prompts to the engine's token budget: all changes, then the code nearest to them. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from til.citations import label
from til.control_tokens import broken_up
from til.languages import WORDS
from til.markdown import one_line
from til.request import TilRequest
from til.shown import composed
from til.tokens import size
from worker.engines import Encoded, Engine, InputTooLarge
from worker.writing.prompt_pieces import CUT, Code, Day, Piece, citable, code_text, sources_of, text_of
from worker.writing.template import Template

Encode = Callable[[str, str], Encoded]
SAMPLE_CHARACTERS = 2000
ESTIMATE_ERROR = 1.08
"""Estimates are off by this factor at the most: a prompt estimated above it is not counted exactly."""
MARGIN = 0.98
"""The share of the budget that is filled by estimate."""


@dataclass(frozen=True)
class Prompt:
    """Two chat messages and their exact size, what the answer may cite, and what is left out."""

    system: str
    user: str
    encoded: Encoded
    sources: list[str]
    dropped: list[str]


@dataclass(frozen=True)
class PromptContext:
    """What the prompts of one request have in common: instructions, title line and data marker."""

    request: TilRequest
    template: Template
    seed: int

    @cached_property
    def marker(self) -> str:
        """The line around the data: a digest over it and the seed, so that the data can't contain it, and
        that a replay has the same."""
        content = self.request.model_dump_json(include={"username", "date", "repo", "files"})
        digest = hashlib.sha256(f"{self.seed}\n{content}".encode(errors="replace")).hexdigest()
        return f"DATA-{digest[:24]}"

    def user_message(self, body: str) -> str:
        """The user message: title and `body` between the markers, with control tokens of models broken up."""
        request, marker = self.request, self.marker
        day = WORDS[request.language].day(request.date)
        title = f"# repository {one_line(request.repo)}, {day}, by {one_line(request.username)}\n"
        title = composed(title)
        return f"{marker}\n{broken_up(title + body)}{marker}\n"


class TokenEstimator:
    """Estimates tokens by bytes, at the rate that the tokenizer has on a sample of the text."""

    def __init__(self, encode: Encode, system: str, sample: str) -> None:
        self.encode = encode
        sample = sample[:SAMPLE_CHARACTERS] or "\n"
        tokens = encode(system, sample).tokens - self.empty(system)
        self.bytes_per_token = max(0.5, size(sample) / max(1, tokens))

    def empty(self, system: str) -> int:
        """Tokens of a prompt with these instructions and an empty user message."""
        return self.encode(system, "").tokens

    def tokens(self, text: str) -> int:
        """About how many tokens the text has."""
        return int(size(text) / self.bytes_per_token) + 1


def prompt_without_text(context: PromptContext, engine: Engine) -> Prompt:
    """For an engine that reads the request itself: an empty user message, with sources and dropped files."""
    system = context.template.for_post(context.request.language)
    sources, dropped = citable(context.request)
    return Prompt(system, "", engine.encode(system, ""), sources, dropped)


def pack_day(
    context: PromptContext, day: Day, estimator: TokenEstimator, budget: int, code_tokens: int
) -> Prompt | None:
    """One prompt with every change of the day, and as much of the files' newest code as fits.

    `budget`: tokens, chat template included; `code_tokens`: for the code at the most. Deterministic.
    None: the changes do not fit.
    """
    system = context.template.for_post(context.request.language)
    changes = text_of(day.changes)
    used = estimator.empty(system) + estimator.tokens(context.user_message(changes))
    for_code = min(code_tokens, int(budget * MARGIN) - used)
    if used > budget * ESTIMATE_ERROR:
        return None
    chosen, left = nearest(day.code, estimator, for_code)
    while True:
        user = context.user_message(changes + code_text(chosen))
        encoded = estimator.encode(system, user)
        if encoded.tokens <= budget:
            dropped = [*day.dropped, *(f"{path} (code)" for path in dict.fromkeys(left))]
            return Prompt(system, user, encoded, sources_of(day.changes), dropped)
        if not chosen:
            return None
        over = encoded.tokens - budget
        while chosen and over > -estimator.tokens(CUT):
            last = chosen.pop()
            left.append(last.path)
            over -= estimator.tokens(last.text)


def nearest(code: Sequence[Code], estimator: TokenEstimator, tokens: int) -> tuple[list[Code], list[str]]:
    """The code nearest to the changes that fits into so many tokens, and the paths of what does not."""
    chosen: list[Code] = []
    for index, one in enumerate(code):
        tokens -= estimator.tokens(one.text)
        if tokens < 0:
            return chosen, [left.path for left in code[index:]]
        chosen.append(one)
    return chosen, []


def pack_part(context: PromptContext, part: Sequence[Piece], encode: Encode, budget: int) -> Prompt:
    """The prompt for notes on a part of the day. If the part turns out too large, its longest pieces are cut
    between lines, and listed in `dropped`.

    Raises InputTooLarge when the headers alone do not fit.
    """
    system, pieces, cut = context.template.for_notes(context.request.language), list(part), list[str]()
    while True:
        user = context.user_message(text_of(pieces))
        encoded = encode(system, user)
        if encoded.tokens <= budget:
            dropped = [f"{path} (changes, cut)" for path in dict.fromkeys(cut)]
            return Prompt(system, user, encoded, sources_of(pieces), dropped)
        longest = max(range(len(pieces)), key=lambda index: len(pieces[index].text))
        piece = pieces[longest]
        if len(piece.text) <= len(CUT):
            raise InputTooLarge(InputTooLarge.__doc__)
        pieces[longest] = replace(piece, text=first_half(piece.text))
        cut.append(piece.path)


def first_half(text: str) -> str:
    """The first half of the text, up to the end of a line, and a mark that it was cut."""
    kept = text.removesuffix(CUT)[: len(text) // 2].rpartition("\n")[0]
    return f"{kept}\n{CUT}" if kept else CUT


@dataclass(frozen=True)
class Note:
    """A sentence about a part of a day, and the SHAs or paths that it cites."""

    text: str
    sources: list[str]


def pack_notes(
    context: PromptContext, notes: Sequence[Sequence[Note]], encode: Encode, budget: int
) -> Prompt:
    """The prompt for a post from the notes on each part. If they do not fit, parts with the most notes lose
    their last ones. Raises InputTooLarge."""
    system, kept, dropped = (
        context.template.for_post(context.request.language),
        [list(part) for part in notes],
        0,
    )
    while True:
        user = context.user_message("".join(map(_notes_text, kept)))
        encoded = encode(system, user)
        if encoded.tokens <= budget:
            sources = dict.fromkeys(source for part in kept for note in part for source in note.sources)
            return Prompt(system, user, encoded, list(sources), [f"{dropped} notes"] if dropped else [])
        over = 1 + sum(map(len, kept)) * (encoded.tokens - budget) // encoded.tokens
        for _ in range(over):
            longest = max(kept, key=len)
            if len(longest) <= 1 and sum(map(len, kept)) <= 1:
                raise InputTooLarge(InputTooLarge.__doc__)
            longest.pop()
            dropped += 1


def _notes_text(part: Sequence[Note]) -> str:
    lines = [f" {one_line(note.text)} [{', '.join(map(label, note.sources))}]\n" for note in part]
    return "# notes on a part of the commits\n" + "".join(lines)
