"""No text of a commit becomes markup."""

from __future__ import annotations

import html
import re

import cmarkgfm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.stack.processes import day
from til.markdown import LINKED, code, escape, one_line, render
from til.post import SECTIONS, Draft, Point
from til.request import TilRequest

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
TEXT_TOKENS = {"text", "text_special", "softbreak", "code_inline"}


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


LINKS = [
    *(
        "www.evil.example",
        "see www.evil.example/login now",
        "(www.evil.example).",
        "WWW.EVIL.EXAMPLE",
        "www.",
    ),
    *(
        "http://evil.example",
        "HTTPS://evil.example/x?a=b&c=`d`",
        "ftp://evil.example",
        "x<https://a.example>",
    ),
    *(
        "ada@example.com",
        "mailto:ada@example.com",
        "xmpp:ada@example.com/x",
        "a.b+c@d-e.example_f.org",
        "a@b@c.de",
    ),
    *(
        "@ada please",
        "한글@example.com을",
        "글www.evil.example를",
        "`www.evil.example`",
        "``a@b.c",
        "://://x",
        "@@a",
    ),
    *(
        "*www.evil.example*",
        "_ada@example.com_",
        "~http://evil.example~",
        "|a@b.c|",
        "1.www.a.b",
        "-a@b.c",
        "$x$",
    ),
    *(
        "```a``b://c```",
        "\\@a",
        "a\\http://b.c",
        "https://www.a.example/@b:c@d.e",
        "https:\u200b//x",
        "'@a'!",
    ),
]
PARTS = st.sampled_from(
    [*"`*_~\\@:/.w<>()[]!-+1a한é \t|#&$'\"", "www.", "://", "http", "a@b.c", "mailto:", "@a"]
)


def shown(rendered: str) -> str:
    """The text that a reader sees of one list item."""
    return html.unescape(re.sub(r"</?(?:ul|li|code)>|\n", "", rendered))


@settings(max_examples=600, deadline=None)
@given(st.lists(PARTS, max_size=14).map("".join) | st.sampled_from(LINKS))
def test_no_text_becomes_a_link_and_all_of_it_is_shown_by_either_reader(text: str) -> None:
    item = f"- {escape(text)}"
    assert shown(cmarkgfm.github_flavored_markdown_to_html(item)) == one_line(text)
    assert shown(MarkdownIt("commonmark").render(item)) == one_line(text)
    (inline,) = [token for token in PARSER.parse("- " + escape(f"x {text}")) if token.type == "inline"]
    plain = "".join(" " if t.type == "code_inline" else t.content for t in inline.children or [])
    assert not LINKED.search(plain)


@pytest.mark.parametrize("link", LINKS)
def test_an_address_is_shown_as_it_is_and_leads_nowhere(link: str) -> None:
    for before, after in (("", ""), ("a ", " b"), ("(", ")"), ("가", "나"), ("# ", ".")):
        rendered = cmarkgfm.github_flavored_markdown_to_html(f"- {escape(before + link + after)}")
        assert shown(rendered) == one_line(before + link + after)


def test_an_address_is_code_without_what_stands_around_it() -> None:
    assert escape("(see https://a.example/b_c).") == "(see `https://a.example/b_c`)."
    assert escape("ask ada@example.com, @bob!") == "ask `ada@example.com`, `@bob`!"
    assert escape("a * b @ c") == "a \\* b @ c"


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
