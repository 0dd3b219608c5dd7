"""Nothing that a commit says becomes markup."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from jobs.markdown import code, escape, render
from jobs.post import SECTIONS, Draft, Point
from jobs.request import TilRequest
from tests.stack.processes import day

PARSER = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table").enable("strikethrough")
ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](http://evil.example/x.png)",
    "[x]: javascript:alert(1)",
    "<http://evil.example>",
    "# Heading",
    "Heading\n=====",
    "```\nfence",
    "~~~ fence",
    "    indented code",
    "> quote",
    "- item",
    "+ item",
    "1. item",
    "2) item",
    "***",
    "---",
    "a | b\n--- | ---\n1 | 2",
    "*bold* __under__ ~~gone~~",
    "`code` ``more`` \\`",
    "&lt;script&gt; &#x3c;",
    "line one\u2028# line two",
    "\u202etxt.exe\u202c \x1b[31mred\x00",
    "\\",
    "a\\",
    "ends with a backslash \\\\",
    "</details><h1>",
]
TEXT_TOKENS = {"text", "text_special", "softbreak"}


def draft(text: str, source: str = "src/mill.py") -> Draft:
    points = [Point(text=text, sources=[source])]
    return Draft(title=text, keywords=[text], **dict.fromkeys(SECTIONS, points))


def kinds(markdown: str) -> list[str]:
    found = []
    for token in PARSER.parse(markdown):
        found.append(token.type)
        found += [child.type for child in token.children or [] if child.type not in TEXT_TOKENS]
    return found


PLAIN = kinds(render(draft("plain"), TilRequest.model_validate(day())).content)


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_injection_changes_no_structure(attack: str) -> None:
    result = render(draft(attack), TilRequest.model_validate(day(repo="r")))
    assert kinds(result.content) == PLAIN
    assert not set(result.content) & set("\x00\x1b\u202e\u202c\u2028")


@settings(max_examples=400, deadline=None)
@given(st.text(min_size=1, max_size=80).filter(lambda text: escape(text) != ""))
def test_no_text_changes_the_structure(text: str) -> None:
    result = render(draft(text), TilRequest.model_validate(day(repo="r")))
    assert kinds(result.content) == PLAIN


@settings(max_examples=300, deadline=None)
@given(st.text("ab`\\ *_<", min_size=1, max_size=12).filter(lambda text: text.strip() != ""))
def test_inline_code_shows_its_text_whatever_backticks_it_holds(text: str) -> None:
    (inline,) = [t for t in PARSER.parse(f"x {code(text)} y") if t.type == "inline"]
    spans = [child.content for child in inline.children or [] if child.type == "code_inline"]
    assert spans == [" ".join(text.split())]


def test_a_note_and_the_sources_are_shown() -> None:
    result = render(draft("text", "4f2a91c0" * 5), TilRequest.model_validate(day(language="en")), "A note.")
    assert "*A note.*" in result.content
    assert "- text (`4f2a91c04f`)" in result.content
    assert "24 April 2025" in result.content
