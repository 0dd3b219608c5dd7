"""The outline's points for each kind of commit, message and change, by examples."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stack.processes import day
from tests.worker.outline_days import draft_of, of_changes, of_messages, texts
from til.languages import WORDS
from til.markdown import render
from til.request import TilRequest

HUNK = "@@ -1 +1 @@\n-a\n+b\n"


def test_a_single_commit_is_the_title_and_its_message_is_told_once() -> None:
    message = "feat: add a mill\n\nThe crank was too slow.\n\nSigned-off-by: A <a@b.c>"
    draft = draft_of(of_changes(("src/mill.py", message, "@@ -0,0 +1,2 @@\n+def turn_crank():\n+    pass\n")))
    assert draft.title == "ada/engine: feat: add a mill"
    assert texts(draft, "learned") == ["1 commit changed 1 file: 2 lines added."]
    assert texts(draft, "concepts") == ["New in src/mill.py: turn_crank", "Python: 1 file, 2 lines added"]
    assert texts(draft, "why") == ["The crank was too slow."]
    assert texts(draft, "how") == [
        "src/mill.py: 2 lines added, 0 removed (new file)",
    ]
    assert texts(draft, "problem") == ["No commit of the day is marked as a fix."]
    assert texts(draft, "reflection") == ["No test file was changed."]
    assert draft.keywords == ["Python", "turn_crank", "engine"]


def test_thirteen_commits_are_thirteen_points_or_a_number_says_how_many_more() -> None:
    messages = [f"feat: card {number}" for number in range(9)] + [f"fix: tooth {n}" for n in range(4)]
    draft = draft_of(of_messages(*messages))
    assert texts(draft, "learned") + texts(draft, "problem") == messages
    assert draft.title == "ada/engine: 13 commits in src"
    small = draft_of(of_messages(*messages, language="ko"), 1024)
    assert texts(small, "learned") == ["커밋 9개: 기능 9개"]
    assert texts(small, "problem") == ["커밋 4개: 버그 수정 4개"]


@pytest.mark.parametrize(
    ("messages", "last"),
    [
        ([f"card {n}" for n in range(14)], "And 3 more commits: card 11 · card 12 · card 13."),
        ([f"feat: card {n}" for n in range(99)], "And 88 more commits: 88 features."),
        (
            [f"{kind}: card {n}" for kind in ("feat", "docs", "ci") for n in range(20)],
            "And 49 more commits: 9 features, 20 on documentation and 20 on build or CI.",
        ),
        ([f"card {n}" for n in range(99)], "And 88 more commits: in src."),
    ],
)
def test_commits_that_are_not_shown_are_counted_by_kind(messages: list[str], last: str) -> None:
    learned = texts(draft_of(of_messages(*messages)), "learned")
    assert learned == [*messages[:11], last]


def test_equal_messages_are_one_point_with_their_number() -> None:
    draft = draft_of(of_messages("wip", "Update README", "wip", "wip", "fixup! Update README"))
    assert texts(draft, "learned") == ["wip (3 commits): src/mill.py", "Update README (2 commits)"]
    only = draft_of(of_messages("wip", "wip"))
    assert only.title == "ada/engine: wip (2 commits)"


def test_without_shas_a_message_on_many_files_is_one_commit() -> None:
    files = [
        {"filepath": path, "patches": [{"commit_message": "feat: a", "patch": HUNK}] * times}
        for path, times in (("a.py", 1), ("b.py", 2))
    ]
    request = of_messages("x").model_validate(of_messages("x").model_dump() | {"files": files})
    assert draft_of(request).title == "ada/engine: feat: a (2 commits)"


@pytest.mark.parametrize(
    ("messages", "learned", "problem"),
    [
        (("feat: a", 'Revert "feat: a"'), [], ["Made and reverted on the same day: feat: a (2 commits)"]),
        (('Revert "feat: a"',), [], ['Revert "feat: a"']),
        (("revert: feat: a",), [], ["revert: feat: a"]),
        (
            ("feat: a", 'Revert "feat: a"', 'Reapply "feat: a"'),
            ["feat: a (3 commits, reverted in between)"],
            [],
        ),
        (("feat: a", 'Revert "feat: a"', 'Revert "Revert "feat: a""'),
         ["feat: a (3 commits, reverted in between)"], []),
        (('Revert "feat: a"', 'Reapply "feat: a"'), [],
         ["Reverted and reapplied on the same day: feat: a (2 commits)"]),
        (("feat: a", "Undo it\n\nThis reverts commit 0000000."), [],
         ["Made and reverted on the same day: feat: a (2 commits)"]),
        (("Undo it\n\nThis reverts commit abcdef0.",), [], ["Undo it"]),
    ],
)  # fmt: skip
def test_reverts_are_set_off(messages: tuple[str, ...], learned: list[str], problem: list[str]) -> None:
    draft = draft_of(of_messages(*messages, "docs: z"))
    assert texts(draft, "learned") == [*learned, "docs: z"]
    assert texts(draft, "problem") == (problem or ["No commit of the day is marked as a fix."])


def test_a_text_that_is_too_long_ends_with_a_word_and_an_ellipsis() -> None:
    long = "chore: " + "tidy the cards " * 40
    (text, *_) = texts(draft_of(of_messages(long, "docs: z")), "learned")
    assert text.endswith(" …")
    assert long.startswith(f"{text.removesuffix(' …')} ")
    assert 380 < len(text) <= 400
    assert texts(draft_of(of_messages("x" * 500, "docs: z")), "learned") == [
        "A commit whose subject has 500 characters: src/mill.py", "docs: z",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "patch", "said"),
    [
        ("q.sql", "@@ -1,3 +1,2 @@\n select 1;\n--- get users\n--- old note\n+select 2;\n",
         "q.sql: 1 lines added, 2 removed"),
        ("a.c", "@@ -1 +1,3 @@\n a\n+++i;\n+b\n", "a.c: 2 lines added, 0 removed"),
        ("a.c", "--- a/a.c\n+++ b/a.c\n@@ -1 +1 @@\n-a\n+b\n", "a.c: 1 lines added, 1 removed"),
        ("a.c", "+a\u2028b\r\n+c\x0cd\n", "a.c: 2 lines added, 0 removed"),
        ("a.c", "@@ -1,2 +0,0 @@\n-a\n-b\n", "a.c: 0 lines added, 2 removed (deleted)"),
        ("b.c", "similarity index 100%\nrename from a.c\nrename to b.c\n",
         "b.c: 0 lines added, 0 removed (renamed from a.c)"),
        ("a.png", "Binary files /dev/null and b/a.png differ\n", "a.png: 0 lines added, 0 removed (binary)"),
        ("uv.lock", HUNK, "uv.lock: 1 lines added, 1 removed (generated)"),
        ("a.c", "", "a.c: 0 lines added, 0 removed"),
    ],
)  # fmt: skip
def test_new_removed_and_renamed_files_are_described(path: str, patch: str, said: str) -> None:
    assert texts(draft_of(of_changes((path, "fix: x", patch))), "how")[0] == said


def test_a_long_subject_without_blanks_ends_after_a_comma() -> None:
    (text, *_) = texts(draft_of(of_messages("曲柄を回すために、" * 60, "docs: z")), "learned")
    assert text.endswith("曲柄を回すために …")


def test_a_day_is_shown_as_it_is_whatever_its_texts_look_like() -> None:
    request = of_messages("# no heading", "- <b>no</b> `list` [x](https://a.b)", "| no | table |")
    content = render(draft_of(request), request, WORDS["en"].outline_note).content
    assert "- \\# no heading (" in content
    assert "- \\- \\<b\\>no\\</b\\> \\`list\\`" in content


def test_the_post_in_the_document_is_what_the_engine_writes() -> None:
    code = """\
def users(db, cursor=None):
    check(cursor)
    return Page(db.rows(cursor))


class Page:
    rows: list
"""
    reason = "Clients with 10,000 users timed out, because the whole list was sent at once."
    commits = [
        ("4f2a91c0d1e2f3a4", f"feat(api): page through users\n\n{reason}\n\nCloses #398", "@@ -1,2 +1,6 @@\n"
         "-def users(db):\n+def users(db, cursor=None):\n     x\n+\n+\n+class Page:\n+    rows: list\n"),
        ("b81c07e2aa55aa55", "wip", "@@ -2 +2 @@\n-    x\n+    y\n"),
        ("07d3e5f1b2c3d4e5", "fix(api): reject a cursor of another user",
         "@@ -1,2 +1,3 @@\n def users(db, cursor=None):\n+    check(cursor)\n     y\n"),
        ("99aa88bb77cc66dd", "wip", "@@ -3 +3 @@\n-    y\n+    return Page(db.rows(cursor))\n"),
    ]  # fmt: skip
    patches = [{"sha": sha, "commit_message": message, "patch": patch} for sha, message, patch in commits]
    files = [{"filepath": "src/api.py", "latest_code": code, "patches": patches}]
    request = TilRequest.model_validate(day(files=files))
    page = (Path(__file__).parents[2] / "docs" / "posts.md").read_text()
    post = render(draft_of(request), request, WORDS["en"].outline_note).content
    assert page.split("```markdown\n")[1].split("```")[0] == post
