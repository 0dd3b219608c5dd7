"""What the openai engine finds out of its server, against real HTTP servers that keep to it or don't."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from tests.worker.foreign_answers import TEXT, refusal
from tests.worker.model_server import ENFORCE, IGNORE, REFUSE, ModelServer, is_post, post_of, started
from tests.worker.test_openai import KEY, MODELS, NO_PAGE, serving
from worker.engines import EngineAway, openai, proof
from worker.engines.openai import OpenAIEngine
from worker.engines.proof import WHAT


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine proves the same; who waits for what never comes sets shorter times."""
    monkeypatch.setattr(proof, "FREED_SECONDS", 30.0)
    monkeypatch.setattr(proof, "SERVED_SECONDS", 60.0)
    monkeypatch.setattr(openai, "PROOF_SECONDS", 300.0)


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
    assert max(body["max_tokens"] for body in server.bodies) < proof.LONG_TOKENS


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
    with pytest.raises(EngineAway):
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


async def test_what_could_not_be_told_leaves_the_way_of_asking_and_holds_up_no_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openai, "AGAIN_SECONDS", 0.0)
    server, silent = ModelServer(REFUSE, REFUSE, say=lambda _: TEXT), asyncio.Event()

    async def answer(writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        if "tools" in body:
            silent.set()
            await asyncio.Event().wait()
        await server.answer(writer, body)

    monkeypatch.setattr(proof, "CALL_SECONDS", 0.3)
    async with serving(answer, metrics=server.metrics) as url:
        engine = OpenAIEngine(url, KEY, "tiny")
        await engine.start()
        monkeypatch.setattr(proof, "CALL_SECONDS", 600.0)
        silent.clear()
        assert await engine.alive()
        async with asyncio.timeout(60):
            await silent.wait()
            await post_of(engine)
        assert not {"response_format", "tools"} & server.posts()[0].keys()
        await engine.close()


async def test_a_server_that_comes_back_too_busy_to_be_tried_is_asked_as_before() -> None:
    server, busy, here = ModelServer(form=IGNORE), False, True

    async def answer(writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        if busy and not is_post(body):
            writer.write(refusal(429, {"message": "slow down"}))
        else:
            await server.answer(writer, body)

    async with serving(answer, lambda: MODELS if here else NO_PAGE, server.metrics) as url:
        engine = OpenAIEngine(url, KEY, "tiny")
        await engine.start()
        busy, here = True, False
        assert not await engine.alive()
        here = True
        assert await engine.alive()
        post = await post_of(engine)
        assert "tools" in server.posts()[0]
        assert post.provenance["schema"] == "validated"
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
