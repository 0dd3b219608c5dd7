"""The outline engine always writes a valid post that cites only what is there, in every language."""

from __future__ import annotations

import asyncio
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from jobs.languages import WORDS
from jobs.post import SECTIONS, Draft
from jobs.request import Language, TilRequest
from tests.post.engines import admitted, call_of
from tests.post.requests import LANGUAGES, REQUESTS
from tests.stack.processes import day
from worker.engines import Written
from worker.engines.outline import OutlineEngine, outline
from worker.pieces import label
from worker.progress import Progress
from worker.schema import allowed, as_json, parse, post_schema
from worker.write import Attempt, write


@settings(max_examples=150, deadline=None)
@given(REQUESTS, st.sampled_from([256, 1024, 2048, 8192]))
def test_every_outline_is_valid_by_its_requests_schema(request: TilRequest, tokens: int) -> None:
    labels = {label(source): source for source in reversed(request.sources())}
    schema = post_schema(list(labels), request.language, tokens)
    text = outline(request, *allowed(schema)).model_dump_json()
    Draft202012Validator(schema).validate(as_json(text))
    parse(as_json(text), labels)
    assert outline(request, *allowed(schema)).model_dump_json() == text


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_post_has_the_headings_the_note_and_the_date_of_its_language(language: Language) -> None:
    request = TilRequest.model_validate(day(language=language))
    post = await write(request, OutlineEngine(), Attempt("a:1", 1), admitted, lambda _: None)
    words = WORDS[language]
    assert [section.heading for section in post.result.sections] == list(words.headings)
    for part in (*words.headings, words.outline_note, words.day(request.date), "fix: the crank turns"):
        assert part in post.result.content
    assert post.provenance["engine"] == "outline"
    assert (post.provenance["model"], post.usage["calls"]) == (None, 1)


async def test_it_finds_what_the_commits_say() -> None:
    patches = [
        {"commit_message": "feat: add a mill\n\nThe crank was too slow.\n\nSigned-off-by: A <a@b.c>",
         "patch": "@@ -0,0 +1,2 @@\n+def turn_crank():\n+    pass\n", "sha": "a" * 40},
        {"commit_message": "fix: the crank turns forward", "patch": "-x\n+y\n", "sha": "b" * 40},
    ]  # fmt: skip
    request = TilRequest.model_validate(day(files=[{"filepath": "src/mill.py", "patches": patches}]))
    draft = outline(request, request.sources(), 3, 200)
    said = {name: [p.text for p in getattr(draft, name)] for name in SECTIONS}
    assert said["learned"] == ["feat: add a mill", "fix: the crank turns forward"]
    assert said["why"] == ["The crank was too slow."]
    assert said["problem"] == ["fix: the crank turns forward"]
    assert "turn_crank" in said["concepts"][0]
    assert said["how"] == ["src/mill.py: 3 lines added, 1 removed"]
    assert draft.problem[0].sources == ["b" * 40]
    assert draft.keywords[:2] == ["Python", "turn_crank"]


async def test_it_can_take_its_time_and_is_cancelled_at_once() -> None:
    request = TilRequest.model_validate(day())
    shown: list[Progress] = []
    writing = asyncio.create_task(
        write(request, OutlineEngine(60), Attempt("a:1", 1), admitted, shown.append)
    )
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    quick: list[str] = []
    engine = OutlineEngine(0.02)
    written = await engine.generate(call_of(request, engine), lambda text, _: quick.append(text))
    assert isinstance(written, Written)
    assert "".join(quick) == written.text
    assert len(quick) > 5
    Draft.model_validate_json(written.text)
    assert re.search("learned", written.text)
