"""The proof against HTTP servers with known behaviour."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from tests.worker.foreign_answers import TEXT, refusal
from tests.worker.model_server import ENFORCE, IGNORE, REFUSE, ModelServer, is_post, post_of, started_engine
from tests.worker.test_openai import KEY, MODELS, NO_PAGE, serving
from worker.engines import EngineAway, openai, proof
from worker.engines.openai import OpenAIEngine
from worker.engines.proof import CHECKS


@pytest.fixture(autouse=True)
def _long_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long limits, for slow machines; tests that wait for a limit set a short one."""
    monkeypatch.setattr(proof, "COUNT_SECONDS", 30.0)
    monkeypatch.setattr(proof, "NEXT_CALL_SECONDS", 60.0)
    monkeypatch.setattr(openai, "PROOF_SECONDS", 300.0)


def exported() -> dict[str, bool]:
    """The values of `til_engine_proof`, without those that have no series."""
    values = {what: REGISTRY.get_sample_value("til_engine_proof", {"what": what}) for what in CHECKS}
    return {what: bool(value) for what, value in values.items() if value is not None}


ALL = {"schema": True, "abort": True, "seed": True}
NO_SCHEMA = ALL | {"schema": False}
NO_ABORT = ALL | {"abort": False}
SERVERS: list[tuple[dict[str, Any], str, dict[str, bool]]] = [
    ({}, "response_format", ALL),
    ({"response_format": IGNORE}, "tool_choice", ALL),
    ({"response_format": IGNORE, "tool_choice": IGNORE}, "response_format", NO_SCHEMA),
    ({"response_format": IGNORE, "tool_choice": REFUSE}, "response_format", NO_SCHEMA),
    ({"response_format": REFUSE, "tool_choice": IGNORE}, "prompt_only", NO_SCHEMA),
    ({"response_format": REFUSE, "tool_choice": REFUSE}, "prompt_only", NO_SCHEMA),
    ({"seed": False}, "response_format", ALL | {"seed": False}),
    ({"abort": False}, "response_format", NO_ABORT),
    ({"counts": False}, "response_format", {"schema": True, "seed": True}),
    ({"response_format": REFUSE, "tool_choice": ENFORCE, "abort": False}, "tool_choice", NO_ABORT),  # Triton
]


@pytest.mark.parametrize(("switches", "schema_mode", "results"), SERVERS, ids=str)
async def test_the_results_of_the_proof_are_exported_and_logged(
    switches: dict[str, Any], schema_mode: str, results: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not results.get("abort"):
        monkeypatch.setattr(proof, "COUNT_SECONDS", 0.5)
    with capture_logs() as logs:
        async with started_engine(ModelServer(**switches)) as engine:
            assert exported() == results
            assert engine.info.enforces_schema == results["schema"]
    (line,) = [line for line in logs if line["event"] == "engine_proof"]
    assert line["schema_mode"] == schema_mode
    assert {what: line[what] for what in CHECKS if line[what] is not None} == results
    assert line["log_level"] == ("warning" if False in results.values() else "info")


async def test_a_slot_that_an_aborted_call_keeps_is_noticed_without_metrics(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(proof, "NEXT_CALL_SECONDS", 0.5)
    async with started_engine(ModelServer(abort=False, counts=False, slots=1)):
        assert exported() == {"schema": True, "abort": False, "seed": True}


async def test_while_other_clients_are_served_aborts_are_not_tested() -> None:
    server = ModelServer()
    server.running = 1
    async with started_engine(server):
        assert exported() == {"schema": True, "seed": True}
    assert max(body["max_tokens"] for body in server.bodies) < proof.LONG_TOKENS


async def test_after_an_outage_calls_wait_for_a_new_proof() -> None:
    before, after = ModelServer(), ModelServer(REFUSE, REFUSE, reply=lambda _: TEXT)
    async with serving(before.answer) as url:
        engine = OpenAIEngine(url, KEY, "tiny", timeout_seconds=30)
        await engine.start()
        assert engine.info.enforces_schema
    assert not await engine.alive()
    assert not engine.info.enforces_schema
    assert exported() == {}
    async with serving(after.answer, port=int(url.split(":")[2].split("/")[0])):
        assert await engine.alive()
        post = await post_of(engine)
        assert post.provenance["schema"] == "validated"
        assert not {"response_format", "tools"} & after.post_requests()[0].keys()
        await until_proved()
        assert exported()["schema"] is False
        after.response_format = ENFORCE
        assert await engine.alive()  # No outage, so no new proof.
        assert not engine.info.enforces_schema
        await engine.close()


async def until_proved() -> None:
    async with asyncio.timeout(30):
        while "seed" not in exported():
            await asyncio.sleep(0.01)


async def test_a_call_that_can_not_reach_the_server_discards_the_proof() -> None:
    async with serving(ModelServer().answer) as url:
        engine = OpenAIEngine(url, KEY, "tiny")
        await engine.start()
        assert engine.info.enforces_schema
    with pytest.raises(EngineAway):
        await post_of(engine)
    assert not engine.info.enforces_schema
    await engine.close()


async def test_a_server_that_is_too_busy_for_a_proof_gets_one_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openai, "FIRST_RETRY_SECONDS", 0.0)
    server, busy = ModelServer(), True

    async def answer(writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        if busy:
            writer.write(refusal(429, {"message": "slow down"}))
        else:
            await server.answer(writer, body)

    async with serving(answer, metrics=server.metrics) as url:
        engine = OpenAIEngine(url, KEY, "tiny")
        await engine.start()
        assert (engine.info.enforces_schema, exported()) == (False, {})
        busy = False
        assert await engine.alive()
        await until_proved()
        assert engine.info.enforces_schema
        await engine.close()


async def test_a_proof_without_a_result_keeps_the_mode_and_delays_no_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openai, "FIRST_RETRY_SECONDS", 0.0)
    server, silent = ModelServer(REFUSE, REFUSE, reply=lambda _: TEXT), asyncio.Event()

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
        assert not {"response_format", "tools"} & server.post_requests()[0].keys()
        await engine.close()


async def test_after_an_outage_a_server_too_busy_for_a_proof_keeps_its_mode() -> None:
    server, busy, here = ModelServer(response_format=IGNORE), False, True

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
        assert "tools" in server.post_requests()[0]
        assert post.provenance["schema"] == "validated"
        await engine.close()


async def test_a_silent_server_delays_the_start_for_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openai, "PROOF_SECONDS", 0.3)

    async def answer(_: asyncio.StreamWriter, __: dict[str, Any]) -> None:
        await asyncio.Event().wait()

    async with serving(answer) as url:
        engine = OpenAIEngine(url, KEY, "tiny")
        async with asyncio.timeout(20):
            await engine.start()
        assert (engine.info.enforces_schema, exported()) == (False, {})
        await engine.close()


async def test_without_a_proof_no_calls_are_sent_and_posts_are_validated() -> None:
    server = ModelServer(reply=lambda _: TEXT)
    async with serving(server.answer, lambda: MODELS, server.metrics) as url:
        engine = OpenAIEngine(url, KEY, "tiny", prove=False)
        await engine.start()
        assert await engine.alive()
        assert server.bodies == []
        assert (await post_of(engine)).provenance["schema"] == "validated"
        await engine.close()
