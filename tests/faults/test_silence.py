"""A server of a model that is silent for longer than the lease, but answers the probe, keeps its jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.conftest import openai_settings, served
from tests.stack.jobs import SHORT, Jobs
from tests.stack.processes import Stack, day
from tests.worker.engines import call_of
from tests.worker.test_openai import KEY, OK, event
from til.request import TilRequest
from worker.engines.openai import OpenAIEngine
from worker.engines.openai_server import CALLS
from worker.engines.outline.draft import outline

SILENT_SECONDS = 8.0


@pytest.fixture
def silent_server() -> Iterator[str]:
    """An OpenAI-compatible server in a thread; its first word comes late."""
    request = TilRequest.model_validate(day())
    draft = outline(request, request.sources(), 3, 200).model_dump_json()

    async def answer(writer: asyncio.StreamWriter, _: dict[str, Any]) -> None:
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(SILENT_SECONDS)
        writer.write(event(draft) + event(None, "stop") + b"data: [DONE]\n\n")

    with served(answer) as url:
        yield url


def test_a_silent_generation_on_a_live_server_keeps_its_lease(
    stack: Stack, jobs: Jobs, silent_server: str
) -> None:
    stack.steward(**SHORT)
    stack.worker(**openai_settings(silent_server), TIL_OPENAI_PROOF="0", **SHORT)
    job = jobs.get(jobs.submit(), wait=30)
    assert (job["status"], job["attempts"], job["error"]) == ("succeeded", 1, None)
    assert job["usage"]["run_seconds"] > 3 * float(SHORT["TIL_LEASE_SECONDS"])
    assert job["provenance"]["engine"] == "openai"


async def test_the_probe_does_not_wait_behind_the_calls(silent_server: str) -> None:
    engine = OpenAIEngine(silent_server, KEY, "tiny")
    request = TilRequest.model_validate(day())
    calls = [asyncio.create_task(engine.generate(call_of(request, engine), ignore)) for _ in range(CALLS + 5)]
    while engine.load()[0] < len(calls):
        await asyncio.sleep(0.01)
    async with asyncio.timeout(SILENT_SECONDS / 2):
        assert await engine.alive()
    assert not any(call.done() for call in calls)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await engine.close()


def ignore(_: str, __: int) -> None:
    """What is written is of no interest."""
