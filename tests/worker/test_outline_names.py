"""The outline is right about new, removed, moved and changed names."""

from __future__ import annotations

import pytest

from tests.worker.outline_days import draft_of, of_changes, texts
from worker.engines.outline.diff import read_patch
from worker.engines.outline.names import definitions
from worker.engines.outline.paths import is_test, kind_of
from worker.engines.outline.versions import versions_of

NEW = "@@ -0,0 +1 @@\n+def turn(a): ...\n"


def said(*changes: tuple[str, str], code: dict[str, str] | None = None) -> list[str]:
    draft = draft_of(of_changes(*((path, "feat: a", patch) for path, patch in changes), code=code))
    return [
        text for text in texts(draft, "concepts") if ": " in text and not text.endswith(("added", "removed"))
    ]


def test_a_changed_signature_is_no_new_name() -> None:
    change = ("a.py", "@@ -1 +1 @@\n-def turn(a):\n+def turn(a, b):\n")
    assert said(change) == []
    draft = draft_of(of_changes((change[0], "feat: a", change[1])))
    assert texts(draft, "how")[1:] == ["a.py: def turn(a) became def turn(a, b)"]


def test_a_name_that_came_back_later_is_not_new() -> None:
    away = ("a.py", "@@ -1,2 +1 @@\n-def turn(a):\n x\n")
    back = ("a.py", "@@ -1 +1,2 @@\n x\n+def turn(a, b):\n")
    assert said(away, back) == []
    assert said(back, away) == []


def test_a_name_that_another_file_had_has_moved() -> None:
    gone = ("a.py", "@@ -1,2 +1 @@\n x\n-def turn(a):\n")
    assert said(gone, ("b.py", NEW)) == ["Moved from a.py to b.py: turn"]
    draft = draft_of(of_changes(("a.py", "a", gone[1]), ("b.py", "b", NEW)))
    assert draft.concepts[0].sources == ["b.py", "a.py"]
    assert said(gone) == ["No longer defined in a.py: turn"]
    assert said(("b.py", NEW)) == ["New in b.py: turn"]
    assert said(gone, ("b.ts", NEW)) == ["No longer defined in a.py: turn"]


def test_what_the_hunks_do_not_show_is_read_from_the_newest_code() -> None:
    """Two methods of one name: only the whole file shows that the name is not new."""
    code = (
        "class Mill:\n    def turn(self):\n        pass\n\n\nclass Card:\n    def turn(self):\n        pass\n"
    )
    patch = "@@ -4,0 +5,4 @@\n+\n+class Card:\n+    def turn(self):\n+        pass\n"
    assert said(("a.py", patch), code={"a.py": code}) == ["New in a.py: Card"]


def test_a_name_in_another_file_of_the_day_is_not_new() -> None:
    assert said(("a.py", "@@ -1,2 +1,2 @@\n def turn(a):\n-    x\n+    y\n"), ("b.py", NEW)) == []


def test_names_without_space_are_counted() -> None:
    patch = "@@ -0,0 +1,9 @@\n" + "".join(f"+def turn_{n}(): ...\n" for n in range(9))
    assert said(("a.py", patch)) == ["New in a.py: turn_0, turn_1, turn_2, turn_3, turn_4, turn_5 and 3 more"]


def test_tests_are_named_where_tests_belong() -> None:
    patch = "@@ -0,0 +1,2 @@\n+def test_it_turns(): ...\n+def helper(): ...\n"
    draft = draft_of(of_changes(("tests/test_a.py", "test: a", patch)))
    assert "New tests in tests/test_a.py: test_it_turns" in texts(draft, "reflection")
    assert not any("test_it_turns" in text for text in texts(draft, "concepts"))


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("tests/a.py", True), ("a_test.go", True), ("web/a.test.ts", True), ("src/FooTest.java", True),
        ("latest.py", False), ("contest/a.py", False), ("src/attestation.py", False),
        ("spec/a_spec.rb", True),
    ],
)  # fmt: skip
def test_a_test_is_known_by_its_path(path: str, is_one: bool) -> None:
    assert is_test(path) is is_one


@pytest.mark.parametrize(
    ("path", "line", "name"),
    [
        ("a.py", "async def turn(a):", "turn"), ("a.py", "class of things that turn", None),
        ("a.py", "def 돌리기(값):", "돌리기"), ("a.py", "x = 'def turn('", None),
        ("a.py", "def __init__(self):", None),
        ("a.ts", "export const turn = async (a) => {", "turn"), ("a.ts", "const turn = 3", None),
        ("a.tsx", "export default function App() {", "App"), ("a.ts", "type Card = string", "Card"),
        ("a.go", "func (m *Mill) Turn(a int) error {", "Turn"), ("a.go", "type Mill struct {", "Mill"),
        ("a.rs", "pub(crate) async fn turn<T>(a: T) {", "turn"), ("a.rs", "impl Mill {", None),
        ("A.java", "public static List<String> turn(int a) {", "turn"), ("A.java", "return turn(a);", None),
        ("a.kt", "suspend fun String.turn(a: Int)", "turn"),
        ("a.swift", "public func turn(a: Int) {", "turn"),
        ("a.rb", "def self.turn?", "turn"), ("a.sql", "CREATE TABLE IF NOT EXISTS cards (", "cards"),
        ("a.sh", "turn() {", "turn"), ("a.cpp", "class Mill : public Engine {", "Mill"),
        ("a.txt", "def turn():", None),
        ("a.spec.rb", "it 'turns forward' do", "turns forward"),
        ("a.test.ts", "it.only('turns forward', () => {", "turns forward"),
        ("a.proto", "message Card {", "Card"), ("a.ex", "defmodule Mill.Crank do", "Mill.Crank"),
    ],
)  # fmt: skip
def test_a_definition_is_known_in_its_language(path: str, line: str, name: str | None) -> None:
    assert list(definitions(path, [f"  {line}"])) == ([name] if name else [])


@pytest.mark.parametrize(
    ("path", "kind"), [("a.PY", "Python"), ("Dockerfile", "Dockerfile"), ("LICENSE", None), ("a/.env", None)]
)
def test_a_files_kind_is_known_by_its_name_or_not_at_all(path: str, kind: str | None) -> None:
    assert kind_of(path) == kind


def test_a_file_before_the_day_is_its_newest_code_with_the_patches_taken_back() -> None:
    patches = ["@@ -1,2 +1,3 @@\n a\n+b\n c\n", "@@ -0,0 +1 @@\n+top\n@@ -3 +4,0 @@\n-c\n"]
    sides = versions_of("top\na\nb\n", [read_patch(patch) for patch in patches])
    assert (sides.before, sides.after, sides.whole) == (["a", "c"], ["top", "a", "b"], True)
    assert versions_of("other\n", [read_patch(patch) for patch in patches]).whole is False


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("def turn(a, *, b=(1, 2)) -> int:", "def turn(a, *, b=(1, 2)) -> int"),
        ("export const turn = (a: string) => {", None),
        ("def turn(self, a):", "def turn(self, a)"),
        ("def turn(self) -> int:", None),
        ("def turn():", None),
        ("def turn(", None),
        ("def _turn(a):", None),
    ],
)
def test_a_new_signature_is_shown_whole_if_it_tells_how_to_call_it(line: str, shown: str | None) -> None:
    draft = draft_of(of_changes(("a.py", "feat: a", f"@@ -0,0 +1 @@\n+{line}\n")))
    assert texts(draft, "how")[1:] == ([f"a.py has {shown}"] if shown else [])
