"""What the outline takes from a commit's message: its kind, its whole subject, and the reason."""

from __future__ import annotations

import pytest

from tests.stack.yardstick import cpu_milliseconds
from tests.worker.outline_days import draft_of, of_messages, texts
from worker.engines.outline.messages import kind_of, read_message


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        ("feat(api)!: add x", "feature"), ("fix: x", "fix"), ("Fix crash of the parser", "fix"),
        ("net: sched: fix a race", "fix"),
        ("[parser] Fix crash", "fix"),
        ("parser: fix crash", "fix"), ("Add prefix fixture", "other"), ("fix merge conflicts", "other"),
        ("README 수정", "other"), ("로그인 버그 수정", "fix"), ("バグを修正", "fix"), ("修复曲柄", "fix"),
        ("🐛 No crash", "fix"),
        ("Merge branch 'a' into b", "merge"), ("Merge pull request #1 from a/b", "merge"),
        ("Merge sort is faster", "other"), ("Bump numpy from 1.0 to 1.1", "dependency"),
        ("chore(deps): update x", "dependency"), ("v1.2.3", "release"), ("Release 2.0", "release"),
        ("perf: faster", "performance"), ("Revert \"fix: x\"", "fix"),
    ],
)  # fmt: skip
def test_a_commits_kind_is_what_its_subject_says(subject: str, kind: str) -> None:
    message = read_message(subject)
    assert kind_of(message.base) == kind


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("It was slow. E.g. with 10 cards.\n\nCo-authored-by: A <a@b.c>", "It was slow. E.g. with 10 cards."),
        ("Change-Id: I0123\nReviewed-by: A\nFixes #12\nCloses: ada/engine#3, #4", None),
        ("- It was slow\n- It was loud.\n\nSee https://a.b/c", "It was slow; It was loud."),
        ("The reasons are:\n\n    code()\n\nIt works now.", "It works now."),
        ("```\ncode\n```\n# Heading\nProse\nover two lines.", "Prose over two lines."),
        ("(cherry picked from commit 0123456)\nSigned-off-by: A <a@b.c>", None),
        ("느렸기 때문이다. 이제 빠르다.\n\nSigned-off-by: A <a@b.c>", "느렸기 때문이다. 이제 빠르다."),
        ("遅かった。今は速い。", "遅かった。 今は速い。"),
        ("x" * 500, "The messages say why, in sentences too long for here."),
        ("x" * 500 + ". It is short.", "It is short."),
        ("https://a.b/c", None),
        ("It was slow.\n\nTopic: cards\nApproved: yes", "It was slow."),
        ("It was slow.\n\nBREAKING CHANGE: no\nTopic: x", "It was slow. BREAKING CHANGE: no Topic: x"),
        ("* feat: a\n* It was slow.\n\n<!-- a -->\n- [x] tested\n[notes](https://a.b)", "It was slow."),
    ],
)
def test_a_reason_is_whole_sentences_without_trailers(body: str, why: str | None) -> None:
    draft = draft_of(of_messages(f"feat: a\n\n{body}"))
    assert texts(draft, "why") == [why or "No commit message says more than its subject."]


@pytest.mark.parametrize(
    ("message", "subject"),
    [
        ("Fix a bug in the parser of cards that made\nit crash\n\nBody.",
         "Fix a bug in the parser of cards that made it crash"),
        ("Add a mill\n- and a card", "Add a mill"),
        ("Add a mill\nalso a card", "Add a mill"),
        ("  \n\nAdd a\tmill \n", "Add a mill"),
        ("제목\n본문입니다", "제목"),
        ("Merge pull request #1 from a/b\n\nAdd a mill\n\nBody.",
         "Merge pull request #1 from a/b: Add a mill"),
    ],
)  # fmt: skip
def test_a_subject_is_not_cut_where_its_line_was_broken(message: str, subject: str) -> None:
    assert read_message(message).subject == subject


def test_text_written_by_programs_is_no_reason() -> None:
    draft = draft_of(of_messages("Bump a from 1.0 to 1.1\n\nBumps a.\n- Release notes\n- Commits", "docs: z"))
    assert texts(draft, "why") == ["No commit message says more than its subject."]


UNITS = ["a: b", "[]()", "[.](.)", "#1", "e.g. ", "and", ". A", "fix: ", "[x] ", 'Revert "', "static "]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("times", [49, 4000])
def test_no_message_takes_long(unit: str, times: int) -> None:
    """Repeated in a line that in the end is none of what it seemed to be."""
    line = unit * times
    message = f"{line}!\n\nA.\n\n{line}!\nb: c\n{line}!\n!"
    assert cpu_milliseconds(lambda: read_message(message)) < 500
