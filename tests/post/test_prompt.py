"""The prompt: never over budget, every file by name, the same each time, and its fence holds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.request import TilRequest
from tests.post.requests import REQUESTS
from tests.stack.processes import day
from worker.partial import partial_markdown
from worker.prompt import InputTooLarge, build
from worker.schema import InvalidOutput, parse, post_schema


def tokens(text: str) -> int:
    return len(text.encode()) // 3 + 1


@settings(max_examples=200, deadline=None)
@given(REQUESTS, st.integers(0, 4000))
def test_a_prompt_fits_its_budget_and_names_every_file(request: TilRequest, budget: int) -> None:
    try:
        prompt = build(request, tokens, budget)
    except InputTooLarge:
        whole = build(request, tokens, None)
        assert tokens(whole.system) + tokens(whole.user) > budget
        return
    assert tokens(prompt.system) + tokens(prompt.user) <= budget + 2
    assert all(file.filepath in prompt.user for file in request.files)
    assert build(request, tokens, budget) == prompt


def test_what_does_not_fit_is_cut_and_listed_and_lock_files_go_last() -> None:
    patch = {"commit_message": "m", "patch": "+line\n" * 400}
    files = [
        {"filepath": path, "latest_code": "code\n" * 900, "patches": [patch]} for path in ("a.lock", "b.py")
    ]
    request = TilRequest.model_validate(day(files=files))
    prompt = build(request, tokens, 1500)
    assert prompt.user.index("changes to b.py") < prompt.user.index("changes to a.lock")
    assert "a.lock (patches)" in prompt.dropped
    assert "b.py (code)" in prompt.dropped
    assert "[cut]" in prompt.user
    assert build(request, tokens, None).dropped == []


def test_the_fence_is_not_in_the_data() -> None:
    request = TilRequest.model_validate(day())
    prompt = build(request, tokens, None)
    (marker,) = {word for word in prompt.user.split() if word.startswith("DATA-")}
    assert prompt.user.count(marker) == 2
    quoting = day(repo=marker, metadata={"a": marker})
    again = build(TilRequest.model_validate(quoting), tokens, None)
    assert again.user.split()[0] != marker


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"title": "t"}',
        '{"title":"t","keywords":["k"],"learned":[],"concepts":[],"why":[],"how":[],"problem":[],"reflection":[]}',
    ],
)
def test_an_answer_that_is_no_post_is_refused(text: str) -> None:
    with pytest.raises(InvalidOutput):
        parse(text, TilRequest.model_validate(day()))


def answer(source: str) -> str:
    point = f'[{{"text": "tab\there", "sources": ["{source}"]}}]'
    names = ("learned", "concepts", "why", "how", "problem", "reflection")
    return '{"title": "t", "keywords": ["k"], ' + ", ".join(f'"{name}": {point}' for name in names) + "}"


def test_a_citation_that_is_not_there_is_refused_and_a_raw_tab_is_not() -> None:
    request = TilRequest.model_validate(day())
    assert parse(answer("src/mill.py"), request).learned[0].text == "tab\there"
    with pytest.raises(InvalidOutput):
        parse(answer("src/other.py"), request)
    source = post_schema(request, 2048)["properties"]["learned"]["items"]["properties"]["sources"]["items"]
    assert source["enum"] == ["4f2a91c0", "src/mill.py"]


@pytest.mark.parametrize("end", range(0, 200, 7))
def test_the_text_so_far_is_markdown_and_never_json(end: int) -> None:
    request = TilRequest.model_validate(day(language="en"))
    text = partial_markdown(answer("src/mill.py")[:end], request)
    assert text == "" or text.startswith("# t\n")
    assert "{" not in text
    assert '"' not in text


def test_the_text_so_far_holds_every_complete_point() -> None:
    request = TilRequest.model_validate(day(language="en"))
    whole = answer("src/mill.py")
    cut = partial_markdown(whole[: whole.index('"how"')], request)
    assert cut.count("- tab here") == 3
    assert "## Concepts" in cut
    assert "## How to use it" not in cut
