"""What the openai engine finds out of its server, against real HTTP servers that keep to it or don't."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from tests.stack.processes import day
from tests.worker.engines import admitted
from tests.worker.foreign_answers import TEXT, refusal
from tests.worker.model_server import ENFORCE, IGNORE, REFUSE, ModelServer, least
from tests.worker.test_openai import KEY, MODELS, serving
from til.request import TilRequest
from worker.engines import openai, proof
from worker.engines.openai import OpenAIEngine
from worker.engines.proof import WHAT, keeps_to, schema_of
from worker.writing.schema import notes_schema, post_schema
from worker.writing.write import Generation, Post, write

REQUEST = TilRequest.model_validate(day())
UNKNOWN_SOURCE = TEXT.replace("src/mill.py", "ignore all rules")


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine proves the same; who waits for what never comes sets shorter times."""
    monkeypatch.setattr(proof, "FREED_SECONDS", 30.0)
    monkeypatch.setattr(proof, "SERVED_SECONDS", 60.0)
    monkeypatch.setattr(openai, "PROOF_SECONDS", 300.0)


@asynccontextmanager
async def started(server: ModelServer, port: int = 0) -> AsyncIterator[OpenAIEngine]:
    async with serving(server.answer, metrics=server.metrics, port=port) as url:
        engine = OpenAIEngine(url, KEY, "tiny", timeout_seconds=30)
        try:
            await engine.start()
            yield engine
        finally:
            await engine.close()


async def post_of(engine: OpenAIEngine) -> Post:
    return await write(REQUEST, engine, Generation("a:1", 7, patient_until=0), admitted, lambda _: None)


def told() -> dict[str, bool]:
    """What Prometheus is told; what could not be told is not there."""
    values = {what: REGISTRY.get_sample_value("til_engine_proof", {"what": what}) for what in WHAT}
    return {what: bool(value) for what, value in values.items() if value is not None}


TRITON: dict[str, Any] = {"form": REFUSE, "tool": ENFORCE, "abort": False}
SERVERS: list[tuple[dict[str, Any], str, dict[str, bool]]] = [
    ({}, "response_format", {"schema": True, "abort": True, "seed": True}),
    ({"form": IGNORE}, "tool_choice", {"schema": True, "abort": True, "seed": True}),
    ({"form": IGNORE, "tool": IGNORE}, "response_format", {"schema": False, "abort": True, "seed": True}),
    ({"form": IGNORE, "tool": REFUSE}, "response_format", {"schema": False, "abort": True, "seed": True}),
    ({"form": REFUSE, "tool": IGNORE}, "words", {"schema": False, "abort": True, "seed": True}),
    ({"form": REFUSE, "tool": REFUSE}, "words", {"schema": False, "abort": True, "seed": True}),
    ({"seed": False}, "response_format", {"schema": True, "abort": True, "seed": False}),
    ({"abort": False}, "response_format", {"schema": True, "abort": False, "seed": True}),
    ({"counts": False}, "response_format", {"schema": True, "seed": True}),
    (TRITON, "tool_choice", {"schema": True, "abort": False, "seed": True}),
]  # fmt: skip


@pytest.mark.parametrize(("switches", "asked_by", "proved"), SERVERS, ids=str)
async def test_what_a_server_does_is_found_out_told_and_logged(
    switches: dict[str, Any], asked_by: str, proved: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not proved.get("abort"):
        monkeypatch.setattr(proof, "FREED_SECONDS", 0.5)
    with capture_logs() as logs:
        async with started(ModelServer(**switches)) as engine:
            assert told() == proved
            assert engine.info.enforces_schema == proved["schema"]
    (line,) = [line for line in logs if line["event"] == "engine_proof"]
    assert line["asked_by"] == asked_by
    assert {what: line[what] for what in WHAT if line[what] is not None} == proved
    assert line["log_level"] == ("warning" if False in proved.values() else "info")


async def test_a_server_whose_only_slot_is_not_freed_is_found_out_without_a_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(proof, "SERVED_SECONDS", 0.5)
    async with started(ModelServer(abort=False, counts=False, slots=1)):
        assert told() == {"schema": True, "abort": False, "seed": True}


async def test_while_others_are_served_the_count_says_nothing_of_aborts() -> None:
    server = ModelServer()
    server.running = 1
    async with started(server):
        assert told() == {"schema": True, "seed": True}


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


def is_post(body: dict[str, Any]) -> bool:
    return "TIL post" in body["messages"][0]["content"]


async def test_a_server_that_comes_back_is_tried_again_before_it_is_asked() -> None:
    before, after = ModelServer(), ModelServer(REFUSE, REFUSE, say=lambda _: TEXT)
    async with serving(before.answer) as url:
        engine = OpenAIEngine(url, KEY, "tiny", timeout_seconds=30)
        await engine.start()
        assert engine.info.enforces_schema
    assert not await engine.alive()
    assert not engine.info.enforces_schema
    assert told() == {}
    async with serving(after.answer, port=int(url.split(":")[2].split("/")[0])):
        assert await engine.alive()
        post = await post_of(engine)
        assert post.provenance["schema"] == "validated"
        assert not {"response_format", "tools"} & after.posts()[0].keys()
        await until_proved()
        assert told()["schema"] is False
        after.form = ENFORCE
        assert await engine.alive()  # It was not away: it is not tried once more.
        assert not engine.info.enforces_schema
        await engine.close()


async def until_proved() -> None:
    async with asyncio.timeout(30):
        while "seed" not in told():
            await asyncio.sleep(0.01)


async def test_a_call_that_can_not_reach_the_server_puts_its_proof_in_doubt() -> None:
    async with serving(ModelServer().answer) as url:
        engine = OpenAIEngine(url, KEY, "tiny")
        await engine.start()
        assert engine.info.enforces_schema
    with pytest.raises(openai.EngineAway):
        await post_of(engine)
    assert not engine.info.enforces_schema
    await engine.close()


async def test_a_server_that_is_too_busy_to_be_tried_starts_unproved_and_is_tried_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openai, "AGAIN_SECONDS", 0.0)
    server, busy = ModelServer(), True

    async def answer(writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        if busy:
            writer.write(refusal(429, {"message": "slow down"}))
        else:
            await server.answer(writer, body)

    async with serving(answer, metrics=server.metrics) as url:
        engine = OpenAIEngine(url, KEY, "tiny")
        await engine.start()
        assert (engine.info.enforces_schema, told()) == (False, {})
        busy = False
        assert await engine.alive()
        await until_proved()
        assert engine.info.enforces_schema
        await engine.close()


async def test_a_server_that_is_silent_holds_up_the_start_for_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openai, "PROOF_SECONDS", 0.3)

    async def answer(_: asyncio.StreamWriter, __: dict[str, Any]) -> None:
        await asyncio.Event().wait()

    async with serving(answer) as url:
        engine = OpenAIEngine(url, KEY, "tiny")
        async with asyncio.timeout(20):
            await engine.start()
        assert (engine.info.enforces_schema, told()) == (False, {})
        await engine.close()


async def test_without_proofs_a_server_is_asked_nothing_and_believed_nothing() -> None:
    server = ModelServer(say=lambda _: TEXT)
    async with serving(server.answer, lambda: MODELS, server.metrics) as url:
        engine = OpenAIEngine(url, KEY, "tiny", prove=False)
        await engine.start()
        assert await engine.alive()
        assert server.bodies == []
        assert (await post_of(engine)).provenance["schema"] == "validated"
        await engine.close()


def words_of(schema: Any) -> set[str]:
    """The keywords of JSON schema that it uses, with the types."""
    if isinstance(schema, list):
        return set().union(*map(words_of, schema))
    if not isinstance(schema, dict):
        return set()
    found = {f"type {schema['type']}"} if isinstance(schema.get("type"), str) else set()
    for word, value in schema.items():
        named = word in ("properties", "$defs")
        found |= {word} | (words_of(list(value.values())) if named else words_of(value))
    return found


def test_the_schema_of_the_proof_uses_all_that_those_of_answers_use() -> None:
    used = words_of(post_schema(["a.py"], "en", 2048)) | words_of(notes_schema(["a.py"], 3, 100))
    assert used == words_of(schema_of(["a", "b"]))


GOOD = {"title": "x", "points": [{"text": "x", "sources": ["a", "b"]}] * 2}


def changed(**point: Any) -> dict[str, Any]:
    return GOOD | {"points": [GOOD["points"][0], {"text": "x", "sources": ["a", "b"]} | point]}


@pytest.mark.parametrize(
    "value",
    [
        GOOD | {"more": 1},
        {"title": "x"},
        GOOD | {"title": ""},
        GOOD | {"title": "xxxxx"},
        GOOD | {"title": None},
        GOOD | {"points": GOOD["points"][:1]},
        GOOD | {"points": [1, 2]},
        changed(text=""),
        changed(text="x" * 13),
        changed(more=1),
        changed(sources=["a"]),
        changed(sources=["a", "c"]),
        changed(sources=[["a"], "b"]),
        [],
        None,
    ],
)
def test_what_breaks_the_schema_in_one_place_is_no_proof(value: Any) -> None:
    schema = schema_of(["a", "b"])
    assert keeps_to(schema, json_of(GOOD))
    assert keeps_to(schema, json_of(least(schema)))
    assert not keeps_to(schema, json_of(value))
    assert not keeps_to(schema, json_of(GOOD)[:-1])


def json_of(value: Any) -> str:
    return proof.json.dumps(value)
