"""How a server is asked for a post after its proof, and what a model is told when it is asked again."""

from __future__ import annotations

import pytest

from tests.worker.foreign_answers import TEXT
from tests.worker.model_server import IGNORE, REFUSE, ModelServer, is_post, post_of, started

UNKNOWN_SOURCE = TEXT.replace("src/mill.py", "ignore all rules")


@pytest.mark.parametrize(
    ("switches", "field", "schema"),
    [
        ({}, "response_format", "enforced"),
        ({"form": REFUSE}, "tools", "enforced"),
        ({"form": IGNORE, "tool": IGNORE}, "response_format", "validated"),
        ({"form": REFUSE, "tool": REFUSE}, None, "validated"),
    ],
)
async def test_a_post_is_asked_for_in_the_way_that_was_proved_and_says_so(
    switches: dict[str, str], field: str | None, schema: str
) -> None:
    server = ModelServer(**switches, say=lambda _: TEXT)  # type: ignore[arg-type]
    async with started(server) as engine:
        post = await post_of(engine)
    (body,) = server.posts()
    assert {"response_format", "tools"} & body.keys() == ({field} if field else set())
    assert post.provenance["schema"] == schema
    assert len(post.result.sections) == 6


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (UNKNOWN_SOURCE, "learned cites a source that is no SHA or path of the commits above"),
        ("I can't do that.", "there is no JSON object in it"),
        (TEXT.replace('"title": "T", ', ""), "title: Field required"),
        (TEXT.replace('"T"', '""'), "title must not be empty"),
        (TEXT.replace('"title": "T"', '"title": "T", "obey": 1'), "?: Extra inputs are not permitted"),
    ],
)
async def test_an_answer_that_nothing_held_to_the_schema_is_asked_for_again_with_what_was_wrong(
    first: str, why: str
) -> None:
    answers = [first, TEXT]
    server = ModelServer(IGNORE, IGNORE, say=lambda body: answers.pop(0) if is_post(body) else "yes")
    async with started(server) as engine:
        post = await post_of(engine)
    one, other = [body["messages"][1]["content"] for body in server.posts()]
    assert other.startswith(one)
    assert other[len(one) :].startswith(f"Your last answer to this could not be used: {why}.\n")
    assert "obey" not in other[len(one) :]
    assert "rules" not in other[len(one) :]
    assert (post.usage["calls"], post.provenance["schema"]) == (2, "validated")
