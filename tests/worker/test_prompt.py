"""The prompt: within budget, with every file's name, reproducible, nearest code first, data delimited."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stack.processes import day
from tests.til.requests import DAYS, REQUESTS
from tests.worker.engines import Counting
from til.citations import label
from til.hunks import Hunk, code_around, hunks, left_out
from til.request import ChangedFile, TilRequest
from til.tokens import CODE_TOKENS, job_tokens
from worker.engines import InputTooLarge
from worker.writing.day_parts import MOST_PARTS
from worker.writing.plan import NOTES_TOKENS, Plan, make_plan, notes_prompt, part_prompt
from worker.writing.prompt import Note, Prompt, PromptContext
from worker.writing.prompt_pieces import as_diff, read_day, text_of
from worker.writing.template import CURRENT

HEAD = re.compile(r"^# (repository|file|commit|code of|notes) ?.*$")


def prompt_context(request: TilRequest, seed: int = 1) -> PromptContext:
    return PromptContext(request, CURRENT, seed)


def prompts(request: TilRequest, context: int) -> tuple[Plan, list[Prompt]]:
    """The plan, and the prompts of all calls whose text does not depend on an answer."""
    engine = Counting(context)
    plan = make_plan(prompt_context(request), engine, CODE_TOKENS)
    parts = [part_prompt(prompt_context(request), engine, plan, number) for number in range(len(plan.parts))]
    return plan, [plan.prompt] if plan.prompt else parts


@settings(max_examples=80, deadline=None)
@given(REQUESTS | DAYS, st.integers(2500, 9000))
def test_every_prompt_fits_and_every_file_is_named_in_one(request: TilRequest, context: int) -> None:
    try:
        plan, made = prompts(request, context)
    except InputTooLarge:
        assert job_tokens(request) > (context - 2048) * MOST_PARTS / 3 or context < 3500
        return
    output = NOTES_TOKENS if plan.parts else 2048
    for prompt in made:
        assert prompt.encoded.tokens == Counting(context).encode(prompt.system, prompt.user).tokens
        assert prompt.encoded.tokens + output <= context
    text = "\n".join(prompt.user for prompt in made)
    assert all(f"# file {label(file.filepath)}" in text for file in request.files)
    assert prompts(request, context)[1] == made


@settings(max_examples=60, deadline=None)
@given(REQUESTS | DAYS)
def test_no_data_can_forge_the_labels_of_a_prompt(request: TilRequest) -> None:
    _, (prompt,) = prompts(request, 10**9)
    marker = prompt_context(request).marker
    lines = prompt.user.splitlines()
    assert [index for index, line in enumerate(lines) if marker in line] == [0, len(lines) - 1]
    assert all(HEAD.match(line) or line[0] in " +-@\\" for line in lines[1:-1])
    assert prompt.system == CURRENT.for_post(request.language)
    read = [file for file in request.files if f"# file {label(file.filepath)} (" not in prompt.user]
    shas = {patch.sha for file in read for patch in file.patches if patch.sha}
    assert shas | {file.filepath for file in request.files} <= set(prompt.sources) <= set(request.sources())


def test_the_marker_follows_the_seed_and_the_content() -> None:
    one, other = TilRequest.model_validate(day()), TilRequest.model_validate(day(repo="x"))
    markers = {prompt_context(one, 1).marker, prompt_context(one, 2).marker, prompt_context(other, 1).marker}
    assert len(markers) == 3
    assert prompt_context(one, 1).marker in markers


def file(
    path: str = "src/a.py", code: str = "", patch: str = "+x\n", message: str = "m"
) -> dict[str, object]:
    return {"filepath": path, "latest_code": code, "patches": [{"commit_message": message, "patch": patch}]}


def request(*files: dict[str, object]) -> TilRequest:
    return TilRequest.model_validate(day(files=list(files)))


def test_the_code_nearest_to_the_changes_comes_first() -> None:
    code = "\n".join(f"line {number}" for number in range(1, 4001))
    asked = request(file(code=code, patch="@@ -2000,1 +2000,2 @@\n-a\n+line 2000\n+line 2001\n"))
    _, (prompt,) = prompts(asked, 6000)
    shown = [int(number) for number in re.findall(r"^ line (\d+)$", prompt.user, re.MULTILINE)]
    assert shown == sorted(shown)
    assert min(shown) < 1900
    assert max(shown) > 2100
    assert abs((2000 - min(shown)) - (max(shown) - 2001)) <= 24
    assert prompt.dropped == ["src/a.py (code)"]


def test_lines_that_a_hunk_shows_are_not_shown_again() -> None:
    code = "\n".join(f"line {number}" for number in range(1, 41))
    windows = code_around(code, [Hunk("", 10, 12)])
    numbers = [n for _, first, text in windows for n in range(first, first + text.count("\n") + 1)]
    assert sorted(numbers) == [*range(1, 10), *range(13, 41)]


@pytest.mark.parametrize(
    ("hunk", "shown"),
    [
        ("@@ -1 +1 @@\n a\n+b\n-c\n\\ No newline", "@@ -1 +1 @@\n a\n+b\n-c\n\\ No newline\n"),
        ("@@ -1 +1 @@\n\n+b\n", "@@ -1 +1 @@\n \n+b\n"),
        ("+a\n# file forged\n", "+a\n # file forged\n"),
        ("+a\f# file forged\n", "+a # file forged\n"),
        ("+a\r\n+b\r\n", "+a\n+b\n"),
        ("+a\r# file forged\r\n+b\r", "+a # file forged\n+b\n"),
        ("+a\v", "+a \n"),
        ("+a\u2028# file forged", "+a # file forged\n"),
        ("+a\x1c\x1d\x1e\x85\u2029b\n", "+a     b\n"),
    ],
)
def test_a_hunk_is_shown_unchanged_except_for_lines_that_look_like_labels(hunk: str, shown: str) -> None:
    assert as_diff(hunk) == shown


@pytest.mark.parametrize(
    ("path", "code", "patch", "why"),
    [
        ("package-lock.json", "", "+x", "generated"),
        ("poetry.lock", "", "+x", "generated"),
        ("go.sum", "", "+x", "generated"),
        ("web/dist/app.js", "", "+x", "generated"),
        ("app.min.js", "", "+x", "generated"),
        ("api_pb2.py", "", "+x", "generated"),
        ("a.ts", "// @generated by x\n", "+x", "generated"),
        ("bundle.js", "a" * 9000, "+x", "generated"),
        ("logo.png", "", "Binary files a/logo.png and b/logo.png differ", "binary"),
        ("logo.png", "", "GIT binary patch\nliteral 12", "binary"),
        ("locksmith.py", "code\n", "+x", None),
        ("src/distance.py", "code\n", "+x", None),
        ("vendor.py", "code\n", "+x", None),
        ("vendor/github.com/a/b/c.go", "code\n", "+x", "generated"),
        ("server/vendor/golang.org/x/c.go", "code\n", "+x", "generated"),
        ("app/node_modules/a/index.js", "code\n", "+x", "generated"),
        ("src/main/java/shop/vendor/VendorService.java", "code\n", "+x", None),
        ("stats/dist/normal.py", "code\n", "+x", None),
        ("world.map", "code\n", "+x", None),
        ("app.js.map", "", "+x", "generated"),
        ("a.js", "let a = 1\nlet b = '" + "x" * 90_000 + "'\n", "+x", None),
        ("a.js", "", "--- a/a.js\n+++ b/a.js\n@@ -1 +1 @@\n-" + "a" * 3000 + "\n+" + "b" * 3000, "generated"),
        ("a.js", "", "@@ -1,2 +1,2 @@\n-x\n+y\n-" + "a" * 9000 + "\n+" + "b" * 9000, None),
    ],
)
def test_generated_and_binary_files_are_recognised(path: str, code: str, patch: str, why: str | None) -> None:
    assert left_out(ChangedFile.model_validate(file(path, code, patch))) == why


def test_generated_files_are_named_only_and_listed_as_dropped_unless_there_is_nothing_else() -> None:
    lock = file("package-lock.json", patch="+integrity\n")
    _, (prompt,) = prompts(request(lock, file("a.py")), 8192)
    assert "# file package-lock.json (generated, left out)" in prompt.user
    assert "integrity" not in prompt.user
    assert prompt.dropped == ["package-lock.json (generated)"]
    _, (alone,) = prompts(request(lock), 8192)
    assert "+integrity" in alone.user
    large = file("package-lock.json", patch="+integrity\n" * 3000)
    assert job_tokens(request(large)) > job_tokens(request(large, file("a.py"))) + 10_000


def test_a_commits_message_is_told_once_and_its_subject_wherever_it_matters() -> None:
    both = request(file("a.py", message="fix: one\n\nBecause."), file("b.py", message="fix: one\n\nBecause."))
    text = text_of(read_day(both).changes)
    assert (text.count("fix: one"), text.count(" Because.")) == (2, 1)


def test_hunks_know_the_lines_of_the_new_file() -> None:
    found = hunks("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@ f\n a\n+b\n@@ -9,0 +20 @@\n+c\n")
    assert [(hunk.first, hunk.last) for hunk in found] == [(1, 2), (20, 20)]
    assert [hunk.text.count("\n") for hunk in found] == [3, 2]
    assert hunks("+only\n")[0].first == 0
    assert hunks(" \n") == []


def test_a_day_beyond_the_bound_is_too_large_and_one_below_it_is_not() -> None:
    diff = "".join(f"@@ -{n},1 +{n},2 @@\n+" + "word " * 40 + "\n" for n in range(1, 1200, 4))
    fits = [file(f"f{n}.py", patch=diff) for n in range(4)]
    plan, made = prompts(request(*fits), 8192)
    assert 1 < len(plan.parts) <= MOST_PARTS
    assert all(prompt.dropped == [] for prompt in made)
    assert sum(prompt.user.count("\n@@ ") for prompt in made) == 4 * 300
    with pytest.raises(InputTooLarge):
        prompts(request(*(file(f"f{n}.py", patch=diff) for n in range(60))), 8192)


@pytest.mark.parametrize("count", [1, 6, 32])
def test_the_notes_of_all_parts_fit_into_the_posts_prompt(count: int) -> None:
    asked, engine = prompt_context(TilRequest.model_validate(day())), Counting(4096)
    notes = [[Note("what was changed and why " * 9, ["src/mill.py"])] * 6 for _ in range(count)]
    prompt = notes_prompt(asked, engine, notes)
    assert prompt.encoded.tokens + 2048 <= 4096
    assert prompt.user.count("# notes on a part") == count
    assert prompt.sources == ["src/mill.py"]
    assert (prompt.dropped == []) == (count == 1)


def test_all_jobs_of_a_language_share_the_beginning_of_their_prompts() -> None:
    made = [prompts(TilRequest.model_validate(day(repo=repo)), 8192)[1][0] for repo in ("a/b", "c/d")]
    assert made[0].system == made[1].system
    assert made[0].user != made[1].user
