"""Texts as a prompt shows them: in form NFC, long lines cut, and line ends at LF alone."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stack.processes import day
from tests.worker.engines import Counting
from til.citations import label
from til.request import TilRequest
from til.shown import LONGEST_LINE, SHOWN_OF_LONGER, composed, lines_of, short_lines, shown
from til.tokens import CODE_TOKENS, job_tokens
from worker.engines.outline.diff import read_patch
from worker.engines.outline.draft import outline
from worker.writing.plan import make_plan
from worker.writing.prompt import Prompt, PromptContext
from worker.writing.schema import parse, parse_notes
from worker.writing.template import CURRENT
from worker.writing.write import labels_of

PICTURE = "iVBORw0KGgo" * 40_000


def request(path: str, patch: str, code: str = "", message: str = "fix: x is 6") -> TilRequest:
    patches = [{"commit_message": message, "patch": patch, "sha": "4f2a91c0"}]
    return TilRequest.model_validate(
        day(files=[{"filepath": path, "latest_code": code, "patches": patches}], language="ko")
    )


def prompt_of(asked: TilRequest) -> Prompt:
    """The prompt of the only call."""
    plan = make_plan(PromptContext(asked, CURRENT, 1), Counting(8192), CODE_TOKENS)
    assert plan.prompt
    return plan.prompt


@pytest.mark.parametrize("pictures", [1, 6])
def test_a_changed_line_beside_pictures_in_base64_is_one_small_call(pictures: int) -> None:
    patch = '@@ -1,2 +1,2 @@\n "source": [\n-"x = 5"\n+"x = 6"\n' + pictures * (
        f'@@ -50 +50 @@\n-  "image/png": "A{PICTURE}"\n+  "image/png": "B{PICTURE}"\n'
    )
    code = '"source": [\n"x = 6"\n' + f'  "image/png": "B{PICTURE}"\n' * pictures + '"after": 1\n' * 20
    asked = request("plot.ipynb", patch, code)
    prompt = prompt_of(asked)
    assert '\n-"x = 5"\n+"x = 6"\n' in prompt.user
    assert '+  "image/png": "BiVBOR' in prompt.user
    assert prompt.user.count(f" (a line of {len(PICTURE) + 19} characters)\n") >= 2 * pictures
    assert "after" in prompt.user
    assert prompt.dropped == ["plot.ipynb (long lines, cut)"]
    assert job_tokens(asked) < 2048 + 600 + 1500 * pictures


@given(st.lists(st.integers(0, 3 * LONGEST_LINE), max_size=12), st.booleans())
def test_long_lines_are_cut_and_others_stay(lengths: list[int], ends: bool) -> None:
    text = "\n".join("x" * length for length in lengths) + "\n" * ends
    lines = short_lines(text).split("\n")
    assert len(lines) == text.count("\n") + 1
    for line, before in zip(lines, text.split("\n"), strict=True):
        if len(before) <= LONGEST_LINE:
            assert line == before
        else:
            assert line == f"{'x' * SHOWN_OF_LONGER} (a line of {len(before)} characters)"


@pytest.mark.parametrize(
    "line", ["+x\n", "x" * 1999 + "\n", "x" * 2001 + "\n", "", "a" + "\u0315\u0300" * 15]
)
def test_the_time_grows_in_proportion_to_the_length(line: str) -> None:
    def seconds(length: int) -> float:
        text = (line or "a" + "\u0315\u0300" * length)[:length]
        text = text * (length // len(text))
        taken = []
        for _ in range(5):
            begun = time.process_time()
            shown(text)
            taken.append(time.process_time() - begun)
        return min(taken)

    assert seconds(2_000_000) < 8 * seconds(500_000) + 0.05


@pytest.mark.parametrize(
    ("patch", "added", "removed"),
    [
        ("@@ -1,3 +1,2 @@\n select 1;\n--- get users\n--- old note\n+select 2;\n", 1, 2),
        ("@@ -1 +1,3 @@\n a\n+++i;\n+b\n", 2, 0),
        ("--- a/q.sql\n+++ b/q.sql\n@@ -1,2 +1,2 @@\n--- a\n--- b\n+++ c\n+++ d\n", 2, 2),
        ("@@ -1 +1 @@\n--- a\n+++ b\n", 1, 1),
        ("@@ -1 +1 @@\n--- a\n+++ b\n@@ -9 +9 @@\n--- c\n\\ No newline at end of file\n+++ d\n", 2, 2),
        ("@@ -1 +1 @@ -- a\n-a\n+b\ndiff --git a/c b/c\n--- a/c\n+++ b/c\n@@ -1 +1,2 @@\n c\n+++c\n", 2, 1),
        ("@@ -1,90 +1,90 @@\n-a\n+b\ndiff --git a/c b/c\n--- a/c\n+++ b/c\n@@ -1 +1 @@\n-c\n+d\n", 2, 2),
        ("@@ -1 +1 @@\n-a\n+b\n--- past its counts\n+++x;\n", 2, 2),
        ("@@ -1 +1 @@\n-a\n+b\n--- past its counts\n+and so\n", 2, 2),
        ("@@ what @@\n--- a\n+++x\n+y\n--- z\n", 2, 2),
        ("--- a/x\n+++ b/x\n+y\n", 1, 0),
        ("--- note\n+y\n", 1, 1),
        ("@@ -1,2 +1,3 @@\n a\n+one\u2028two\x85\x0b\x0c\x1cthree\rfour\n+b\r\n\n", 2, 0),
        ("@@ -1,3 +1,3 @@\n\n--- a\n+++ b\n c\n", 1, 1),
        ("Binary files a/x and b/x differ\n", 0, 0),
        ("", 0, 0),
    ],
)
def test_lines_of_a_diff_are_recognised_by_the_counts_of_its_hunks(
    patch: str, added: int, removed: int
) -> None:
    diff = read_patch(patch)
    assert (diff.added, diff.removed) == (added, removed)


def test_a_line_ends_at_lf_alone() -> None:
    assert lines_of("a\u2028b\x85c\x0bd\x0ce\x1cf\x1dg\x1eh\ri\r\nj\n") == ["a b c d e f g h i", "j"]
    assert lines_of("a\n\nb\r") == ["a", "", "b"]


TEXT = "버그 수정: 한글 がぎ é"
NFC, NFD = (unicodedata.normalize(form, TEXT) for form in ("NFC", "NFD"))


def test_decomposed_text_is_the_same_text() -> None:
    assert NFC != NFD
    one, other = (
        request("a.py", f"@@ -1 +1 @@\n-a\n+{text}\n", f"{text}\n" * 30, f"{text}\n\n{text}")
        for text in (NFC, NFD)
    )
    assert job_tokens(one) == job_tokens(other)
    body, of_other = (prompt_of(asked).user.split("\n")[1:-2] for asked in (one, other))
    assert body == of_other
    drafts = [outline(asked, ["4f2a91c0", "a.py"], 3, 200) for asked in (one, other)]
    assert drafts[0] == drafts[1]
    assert NFC in drafts[0].title


def test_a_path_keeps_its_form_and_is_cited_in_either() -> None:
    asked = request(f"{NFD}.py", "@@ -1 +1 @@\n-a\n+b\n")
    prompt = prompt_of(asked)
    assert f"# file {label(f'{NFC}.py')}\n" in prompt.user
    assert prompt.sources == ["4f2a91c0", f"{NFD}.py"]
    for cited in (f"{NFC}.py", f"{NFD}.py"):
        points = [{"text": "t", "sources": [cited]}]
        answer = {"title": "t", "keywords": ["k"]} | dict.fromkeys(
            ("learned", "concepts", "why", "how", "problem", "reflection"), points
        )
        assert parse(answer, labels_of(prompt)).how[0].sources == [f"{NFD}.py"]
        assert parse_notes({"notes": points}, labels_of(prompt))[0].sources == [f"{NFD}.py"]


def test_more_marks_than_any_language_has_are_left_as_they_are() -> None:
    hostile = "a" + "\u0315\u0300" * 100_000
    assert composed(hostile) == hostile
    assert composed("e" + "\u0301" * 3) == "é" + "\u0301" * 2
