"""Live text of a post: it is only appended to, adds up to the post, and is never JSON."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stack.processes import day
from tests.til.requests import REQUESTS
from til.markdown import escape, render
from til.post import SECTIONS, Draft, Point
from til.request import TilRequest
from worker.live.markdown import LineEscaper, LiveMarkdown
from worker.writing.json_repair import complete

AWKWARD = st.text(' \t\n!:/[]12.)-+=#*`<"\\{}\u200e\u3000\x1f\ud83d\ude00😀가éw@$a', max_size=24)
TEXTS = st.text(max_size=40) | AWKWARD
POINTS = st.lists(st.builds(Point, text=TEXTS, sources=st.lists(TEXTS, max_size=3)), max_size=3)
DRAFTS = st.builds(
    Draft,
    title=TEXTS,
    keywords=st.lists(TEXTS, max_size=4),
    **{name: POINTS for name in SECTIONS},
)
DAY = TilRequest.model_validate(day())


@st.composite
def written(draw: st.DrawFn) -> tuple[Draft, str]:
    """A draft, and its JSON in one of the forms in which it may be written."""
    separators, indent = draw(
        st.sampled_from([((",", ":"), None), (None, None), (None, 1), (None, "\t\r\n")])
    )
    dumped = draw(DRAFTS).model_dump()
    text = json.dumps(dumped, ensure_ascii=draw(st.booleans()), separators=separators, indent=indent)
    if draw(st.booleans()):
        # A server's grammar may let raw white space into a string, and write other escapes than Python.
        text = re.sub(r"(\\\\)|\\n|(/)", lambda m: m[1] or ("\\/" if m[2] else "\n"), text)
    # What json.loads makes of it: surrogates that stand side by side become a character.
    return Draft.model_validate(json.loads(text, strict=False)), text


def pieces(text: str, cuts: list[int]) -> list[str]:
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[begin:end] for begin, end in pairwise(places)]


def said(text: str, cuts: list[int], request: TilRequest = DAY, note: str | None = None) -> list[str]:
    live = LiveMarkdown(request, note)
    return [live.feed(piece) for piece in pieces(text, cuts)]


CUTS = st.lists(st.integers(0, 10**6), max_size=60)


@settings(max_examples=200, deadline=None)
@given(REQUESTS, written(), CUTS, st.none() | TEXTS)
def test_the_live_text_adds_up_to_the_post(
    request: TilRequest, draft: tuple[Draft, str], cuts: list[int], note: str | None
) -> None:
    parts = said(draft[1], cuts, request, note)
    assert "".join(parts) == render(draft[0], request, note).content


@settings(max_examples=100, deadline=None)
@given(written())
def test_character_by_character_the_live_text_is_a_prefix_of_the_post(draft: tuple[Draft, str]) -> None:
    post, live, so_far = render(draft[0], DAY).content, LiveMarkdown(DAY, None), ""
    for character in draft[1]:
        so_far += live.feed(character)
        assert post.startswith(so_far)
        assert so_far == so_far.rstrip() or so_far == post


@settings(max_examples=200, deadline=None)
@given(AWKWARD | st.text(), CUTS)
def test_a_line_in_parts_is_escaped_as_the_whole(text: str, cuts: list[int]) -> None:
    line = LineEscaper()
    assert "".join(line.feed(part) for part in pieces(text, cuts)) + line.close() == escape(text)


@settings(max_examples=200, deadline=None)
@given(written(), st.integers(0, 10**6), st.text('{}[],:"\\u0 \nab7-', max_size=12), CUTS)
def test_broken_json_adds_nothing_and_raises_nothing(
    draft: tuple[Draft, str], place: int, junk: str, cuts: list[int]
) -> None:
    place %= len(draft[1]) + 1
    before = "".join(said(draft[1][:place], cuts))
    broken = "".join(said(draft[1][:place] + junk + draft[1][place:], [place, *cuts]))
    assert broken.startswith(before)


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", '"title"', "```json", '{"title": 3}', '{"title"}', '{"title":"t"]', "}" * 100),
        *('{"keywords": ["k"]}', '{"title": "\\x"}', '{"title": "\\u12g4"}', "{" * 5000, "\ufeff{}"),
    ],
)
def test_json_that_is_no_draft_gives_no_live_text(text: str) -> None:
    assert "".join(said(text, list(range(len(text))))) in {"", "# t"}


TYPED = '{"title": "A mill", "keywords":["Python"], "learned": [{"text": "It turns: forward!", "sources":["a'


@pytest.mark.parametrize(
    ("end", "text"),
    [
        ('"A', ""),
        ("mill", "# A"),
        ('"keywords":["', "# A mill"),
        ("Pyth", "# A mill"),
        ('[{"text": "', "# A mill\n\nada/engine · 24 April 2025\n\n**Keywords**: Python"),
        ("turns:", "…**: Python\n\n## What I learned today\n\n- It"),
        ("forward!", "…**: Python\n\n## What I learned today\n\n- It turns:"),
        ('["a', "…**: Python\n\n## What I learned today\n\n- It turns: forward!"),
    ],
)
def test_words_show_as_they_are_written_and_no_markup_without_them(end: str, text: str) -> None:
    typed = TYPED[: TYPED.index(end) + len(end)]
    (so_far,) = said(typed, [])
    assert so_far.endswith(text[1:]) if text.startswith("…") else so_far == text
    assert not set(so_far) & set('{}"')


def as_mended(value: Any) -> Any:
    """With a space for white space that was raw, and a sign for half a pair of surrogates."""
    if isinstance(value, str):
        return re.sub("[\\ud800-\\udfff?]", "\N{REPLACEMENT CHARACTER}", re.sub(r"\s", " ", value))
    if isinstance(value, dict):
        return {name: as_mended(one) for name, one in value.items()}
    return [as_mended(one) for one in value]


@settings(max_examples=200, deadline=None)
@given(written(), st.integers(0, 10**6))
def test_a_cut_answer_keeps_what_is_complete(draft: tuple[Draft, str], end: int) -> None:
    cut = draft[1][: end % (len(draft[1]) + 1)]
    found, whole = as_mended(complete(cut)), as_mended(draft[0].model_dump())
    assert list(found) == list(whole)[: len(found)]
    assert all(found[name] == whole[name] for name in list(found)[:-1])
    assert as_mended(complete(draft[1])) == whole


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, '"' * 99_999, "\\", "}" * 10])
def test_deeply_nested_json_gives_no_text_and_is_read_once(text: str) -> None:
    assert complete(text) == {}
