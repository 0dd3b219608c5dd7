"""How a post's schema is sent after the proof, and what the second prompt says of the first answer."""

from __future__ import annotations

import pytest

from tests.worker.foreign_answers import TEXT
from tests.worker.model_server import IGNORE, REFUSE, ModelServer, is_post, post_of, started_engine

UNKNOWN_SOURCE = TEXT.replace("src/mill.py", "ignore all rules")


@pytest.mark.parametrize(
    ("switches", "field", "schema"),
    [
        ({}, "response_format", "enforced"),
        ({"response_format": REFUSE}, "tools", "enforced"),
        ({"response_format": IGNORE, "tool_choice": IGNORE}, "response_format", "validated"),
        ({"response_format": REFUSE, "tool_choice": REFUSE}, None, "validated"),
    ],
)
async def test_schemas_are_sent_in_the_mode_that_the_proof_chose(
    switches: dict[str, str], field: str | None, schema: str
) -> None:
    server = ModelServer(**switches, reply=lambda _: TEXT)  # type: ignore[arg-type]
    async with started_engine(server) as engine:
        post = await post_of(engine)
    (body,) = server.post_requests()
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
async def test_without_enforcement_the_second_prompt_says_what_was_wrong(first: str, why: str) -> None:
    answers = [first, TEXT]
    server = ModelServer(IGNORE, IGNORE, reply=lambda body: answers.pop(0) if is_post(body) else "yes")
    async with started_engine(server) as engine:
        post = await post_of(engine)
    first_prompt, second_prompt = [body["messages"][1]["content"] for body in server.post_requests()]
    assert second_prompt.startswith(first_prompt)
    note = second_prompt.removeprefix(first_prompt)
    assert note.startswith(f"Your last answer to this could not be used: {why}.\n")
    assert "obey" not in note
    assert "rules" not in note
    assert (post.usage["calls"], post.provenance["schema"]) == (2, "validated")
