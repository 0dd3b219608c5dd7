"""The outline engine's posts are valid, whole and true, whatever the day, in every language."""

from __future__ import annotations

import asyncio
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.stack.processes import day
from tests.stack.yardstick import cpu_milliseconds
from tests.til.requests import LANGUAGES, REQUESTS
from tests.worker.engines import admitted, call_of
from tests.worker.outline_days import draft_of, drawn_days, of_messages, points_of, texts
from til.citations import label
from til.languages import WORDS
from til.markdown import one_line
from til.post import Draft
from til.request import Language, TilRequest
from worker.engines import Completion
from worker.engines.outline.draft import outline
from worker.engines.outline.engine import OutlineEngine, allowed
from worker.engines.outline.paths import kind_of
from worker.engines.outline.phrases import phrases
from worker.writing.progress import Progress
from worker.writing.schema import as_json, parse, post_schema
from worker.writing.write import Generation, write

TOKENS = st.sampled_from([None, 256, 1024, 2048, 8192])


@settings(max_examples=100, deadline=None)
@given(REQUESTS | drawn_days(), TOKENS)
def test_every_outline_is_valid_by_its_requests_schema(request: TilRequest, tokens: int | None) -> None:
    labels = {label(source): source for source in reversed(request.sources())}
    schema = post_schema(list(labels), request.language, tokens)
    text = outline(request, *allowed(schema)).model_dump_json()
    Draft202012Validator(schema).validate(as_json(text))
    parse(as_json(text), labels)
    assert outline(request, *allowed(schema)).model_dump_json() == text


@settings(max_examples=100, deadline=None)
@given(drawn_days(), TOKENS)
def test_every_commit_is_a_point_once_or_counted(request: TilRequest, tokens: int | None) -> None:
    english = request.model_copy(update={"language": "en"})
    draft = draft_of(english, tokens)
    assert counted(draft) == len({patch.sha for file in english.files for patch in file.patches}), draft
    said = [one_line(point.text) for point in points_of(draft)]
    assert len(said) == len(set(said))


def counted(draft: Draft) -> int:
    """The commits that what was learned and the problems account for."""
    if match := re.match(r"The day's (\d+) commits?: |(\d+) commits? changed ", draft.learned[0].text):
        return int(match[1] or match[2])
    problems = [] if draft.problem[0].text.startswith("No commit of the day") else texts(draft, "problem")
    return sum(map(commits_in, [*texts(draft, "learned"), *problems]))


def commits_in(text: str) -> int:
    """How many commits a point tells of."""
    match = re.match(r"And (\d+) more commit|(\d+) commits?(?:: .*)?$", text)
    match = match or re.search(r"\((\d+) commits?(?:, reverted in between)?\)(?:: .*)?$", text)
    return int(next(filter(None, match.groups()))) if match else 1


@settings(max_examples=100, deadline=None)
@given(drawn_days(), TOKENS)
def test_no_text_is_cut_in_the_middle_of_a_word(request: TilRequest, tokens: int | None) -> None:
    messages = [one_line(patch.commit_message) for file in request.files for patch in file.patches]
    draft = draft_of(request, tokens)
    for text in (draft.title, *draft.keywords, *(point.text for point in points_of(draft))):
        for cut in re.findall(r"^(.*) …", text):
            assert any(message.startswith(f"{cut} ") for message in messages), text
        assert not re.search(r"\S…$", text)


@settings(max_examples=100, deadline=None)
@given(drawn_days(), TOKENS)
def test_points_about_a_file_or_a_kind_cite_such_a_file(request: TilRequest, tokens: int | None) -> None:
    paths = {file.filepath for file in request.files}
    draft = draft_of(request, tokens)
    for point in points_of(draft):
        cited = paths & set(point.sources)
        named = {path for path in paths if re.match(rf"(New in )?{re.escape(path)}: ", point.text)}
        assert named <= cited, point
        for kind in {kind_of(path) for path in paths} - {None}:
            if point.text.startswith(f"{kind}: "):
                assert {kind_of(path) for path in point.sources} == {kind}


@settings(max_examples=100, deadline=None)
@given(drawn_days())
def test_no_name_is_new_that_was_there_before(request: TilRequest) -> None:
    draft = draft_of(request.model_copy(update={"language": "en"}))
    patches = [patch.patch for file in request.files for patch in file.patches]
    for text in texts(draft, "concepts"):
        for name in re.findall(r"\w+", text.partition(": ")[2]) if text.startswith("New in ") else []:
            assert not any(re.search(rf"^-(def|class) {name}\b", patch, re.M) for patch in patches), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_phrase_with_the_same_facts(language: Language) -> None:
    def facts(phrase: str | list[str]) -> list[str]:
        return sorted(set(re.findall(r"\{(\w+)\}", str(phrase))))

    assert {name: facts(phrase) for name, phrase in phrases(language).items()} == {
        name: facts(phrase) for name, phrase in phrases("en").items()
    }


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_post_has_the_headings_the_note_and_the_date_of_its_language(language: Language) -> None:
    request = TilRequest.model_validate(day(language=language))
    post = await write(request, OutlineEngine(), Generation("a:1", 1), admitted, lambda _: None)
    words = WORDS[language]
    assert [section.heading for section in post.result.sections] == list(words.headings)
    for part in (*words.headings, words.outline_note, words.day(request.date), "fix: the crank turns"):
        assert part in post.result.content
    assert post.provenance["engine"] == "outline"
    assert (post.provenance["model"], post.usage["calls"]) == (None, 1)


async def test_a_day_of_many_commits_is_shown_whole_whatever_the_tokens() -> None:
    """No token limits an engine that writes none."""
    request = of_messages(*(f"feat: part {number} of the mill" for number in range(12)), language="ko")
    request = request.model_copy(
        update={"options": request.options.model_copy(update={"max_output_tokens": 256})}
    )
    post = await write(request, OutlineEngine(), Generation("a:1", 1), admitted, lambda _: None)
    for number in range(12):
        assert post.result.content.count(f"feat: part {number} of the mill") == 1


def test_a_large_day_takes_no_longer_than_its_size() -> None:
    lines = "".join(f"+def turn_{n}(a):\n" for n in range(20))

    def patch(number: int, kind: str) -> dict[str, str]:
        message = f"{kind}: {number}\n\nIt was {number}."
        return {"commit_message": message, "patch": f"@@ -0,0 +1,20 @@\n{lines}"}

    def huge(size: int) -> TilRequest:
        code = lines.replace("+", "")
        files = [
            {"filepath": f"{n}.py", "latest_code": code, "patches": [patch(n, "fix"), patch(n, "feat")]}
            for n in range(size)
        ]
        return TilRequest.model_validate(day(files=files))

    small, large = huge(250), huge(2000)
    once = min(cpu_milliseconds(lambda: draft_of(small)) for _ in range(3))
    assert cpu_milliseconds(lambda: draft_of(large)) < 16 * once + 50


async def test_a_slowed_run_is_cancelled_at_once() -> None:
    request = TilRequest.model_validate(day())
    shown: list[Progress] = []
    writing = asyncio.create_task(
        write(request, OutlineEngine(60), Generation("a:1", 1), admitted, shown.append)
    )
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    quick: list[str] = []
    engine = OutlineEngine(0.02)
    written = await engine.generate(call_of(request, engine), lambda text, _: quick.append(text))
    assert isinstance(written, Completion)
    assert "".join(quick) == written.text
    assert len(quick) > 5
    Draft.model_validate_json(written.text)
    assert re.search("learned", written.text)
