"""Writing: one call if the day fits, else notes on its parts; broken answers are never passed on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.stack.processes import day
from tests.worker.engines import Scripted, admitted
from til.post import SECTIONS
from til.request import TilRequest
from worker.engines import Call, Completion, EngineFailed, InputTooLarge, OnText
from worker.writing.day_parts import PARTS_AT_ONCE
from worker.writing.progress import Progress
from worker.writing.schema import InvalidOutput, lengths, post_schema
from worker.writing.template import CURRENT
from worker.writing.write import Generation, Post, write

REQUEST = TilRequest.model_validate(day())
POINT = {"text": "The crank turns.", "sources": ["src/mill.py"]}
ANSWER = json.dumps({"title": "T", "keywords": ["k"]} | {name: [POINT, POINT] for name in SECTIONS})


def large(files: int, hunks: int = 12) -> TilRequest:
    diff = "".join(f"@@ -{n},1 +{n},2 @@\n+" + "word " * 60 + "\n" for n in range(1, 4 * hunks, 4))
    made = [
        {"filepath": f"f{n}.py", "patches": [{"commit_message": "m", "patch": diff, "sha": f"{n:07x}"}]}
        for n in range(files)
    ]
    return TilRequest.model_validate(day(files=made))


async def post_of(
    engine: Scripted, request: TilRequest = REQUEST, **more: Any
) -> tuple[Post, list[Progress]]:
    told: list[Progress] = []
    return await write(request, engine, Generation("a:1", 7, **more), admitted, told.append), told


async def test_a_day_that_fits_is_one_call() -> None:
    engine = Scripted([(ANSWER, True)])
    post, told = await post_of(engine)
    (call,) = engine.asked
    assert (call.seed, call.max_output_tokens) == (7, 2048)
    assert post.usage == {"prompt_tokens": 100, "cached_tokens": 50, "completion_tokens": 2, "calls": 1}
    assert (post.provenance["seed"], post.provenance["prompt_digest"]) == (7, CURRENT.digest("en"))
    assert post.provenance["seconds"].keys() == {"pack", "write"}
    assert "".join(one.text for one in told) == ANSWER
    assert [(one.stage, one.done, one.total, one.anew) for one in told] == [
        ("write", 0, 1, True),
        ("write", 0, 1, False),
    ]


async def test_an_answer_cut_off_in_its_last_section_is_completed_without_the_incomplete_point() -> None:
    engine = Scripted([(ANSWER[: ANSWER.rindex('"sources"')], False)])
    post, _ = await post_of(engine)
    assert len(engine.asked) == 1
    assert [len(section.points) for section in post.result.sections] == [2, 2, 2, 2, 2, 1]


@pytest.mark.parametrize(
    "broken", [(ANSWER[: ANSWER.index('"why"')], False), ("nonsense", True), ("{}", True)]
)
async def test_an_answer_that_is_no_post_is_asked_for_once_more_shorter(broken: tuple[str, bool]) -> None:
    engine = Scripted([broken, (ANSWER, True)])
    post, told = await post_of(engine)
    first, second = engine.asked
    assert (first.seed, second.seed, post.provenance["seed"]) == (7, 8, 7)
    assert first.id != second.id
    assert (first.user, first.prompt_ids) == (second.user, second.prompt_ids)
    assert longest(second) < longest(first)
    assert post.usage["calls"] == 2
    assert [one.anew for one in told] == [True, False, True, False]
    assert [one.completion_tokens for one in told] == [1, 2, 3, 4]
    with pytest.raises(InvalidOutput):
        await post_of(Scripted([broken, broken]))


def longest(call: Call) -> int:
    _, points, characters = lengths_of(call.schema)
    return points * characters


def lengths_of(schema: dict[str, Any]) -> tuple[int, int, int]:
    point = schema["$defs"]["point"]["properties"]
    cited, text = point["sources"]["maxItems"], point["text"]["maxLength"]
    return int(cited), int(schema["properties"]["why"]["maxItems"]), int(text)


async def test_a_day_that_does_not_fit_is_read_in_parts_of_which_few_are_read_at_once() -> None:
    request = large(12)
    engine = Scripted([(ANSWER.replace("src/mill.py", "f3.py"), True)] * 2, context=4096)
    with pytest.raises(InvalidOutput):
        await post_of(engine, request)  # f3.py is in no note: what no note is about can't be cited
    engine = Scripted([(ANSWER.replace("src/mill.py", "0000000"), True)], context=4096)
    post, told = await post_of(engine, request)
    parts = len(engine.asked) - 1
    assert parts > PARTS_AT_ONCE
    assert engine.at_once == PARTS_AT_ONCE
    assert post.usage["calls"] == parts + 1
    assert [one.stage for one in told] == ["summarise"] * 2 * parts + ["write"] * 2
    assert {one.total for one in told} == {parts + 1}
    assert told[-1].done == parts
    assert engine.asked[-1].user.count("# notes on a part") == parts
    assert "about 0000000" in engine.asked[-1].user
    assert post.provenance["seconds"].keys() == {"pack", "summarise", "write"}
    assert {one.text for one in told[: 2 * parts]} == {""}


async def test_a_part_that_fails_ends_the_others() -> None:
    class Failing(Scripted):
        async def generate(self, call: Call, on_text: OnText) -> Completion:
            if len(self.asked) == 2:
                raise EngineFailed("no")
            return await super().generate(call, on_text)

    engine = Failing([], context=4096)
    with pytest.raises(EngineFailed):
        await post_of(engine, large(12))
    assert engine.load() == (0, 0)


async def test_only_what_is_beyond_the_bound_is_too_large() -> None:
    with pytest.raises(InputTooLarge):
        await post_of(Scripted([], context=4096), large(200))


async def test_a_template_that_this_worker_lacks_does_not_fail_the_job() -> None:
    with pytest.raises(EngineFailed, match="no prompt template"):
        await post_of(Scripted([]), template="f" * 64)
    post, _ = await post_of(Scripted([(ANSWER, True)]), template=CURRENT.digest("en"))
    assert post.provenance["prompt_digest"] == CURRENT.digest("en")


@pytest.mark.parametrize("tokens", [256, 512, 1024, 2048, 8192])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_post_at_its_longest_ends_within_its_tokens(tokens: int, language: Any) -> None:
    """By the documented rates; one short point a section is the least that makes a post."""
    sources = ["a" * 40, "src/mill.py"]
    points, cited, characters = lengths(sources, language, tokens)
    rate = {"en": 3.0, "ko": 1.2}[language]
    body = 6 * points * (characters / rate + cited * (40 / 2 + 3) + 12)
    head = (120 + 5 * 32) / rate / 2 + 60
    assert body + head <= tokens or (points, cited, characters) == (1, 1, 60)
    assert lengths_of(post_schema(sources, language, tokens)) == (cited, points, characters)
