"""A server of a model that is silent for longer than the lease, but answers the probe, keeps its jobs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from jobs.request import TilRequest
from tests.post.test_openai import KEY, OK, event, serving
from tests.stack.jobs import SHORT, Jobs
from tests.stack.processes import Stack, day
from worker.engines.outline import outline

SILENT_SECONDS = 8.0


@pytest.fixture
def silent_server() -> Iterator[str]:
    """An OpenAI-compatible server in a thread; its first word comes late."""
    request = TilRequest.model_validate(day())
    draft = outline(request, request.sources(), 3, 200).model_dump_json()
    ready: list[str] = []
    started, done = threading.Event(), threading.Event()

    async def answer(writer: asyncio.StreamWriter, _: dict[str, Any]) -> None:
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(SILENT_SECONDS)
        writer.write(event(draft) + event(None, "stop") + b"data: [DONE]\n\n")

    async def serve() -> None:
        async with serving(answer) as url:
            ready.append(url)
            started.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert started.wait(10)
    yield ready[0]
    done.set()
    thread.join(20)


def test_a_silent_generation_on_a_live_server_keeps_its_lease(
    stack: Stack, jobs: Jobs, silent_server: str
) -> None:
    stack.steward(**SHORT)
    engine = {"TIL_ENGINE": "openai", "TIL_OPENAI_URL": silent_server, "TIL_OPENAI_KEY": KEY}
    stack.worker(**engine, TIL_OPENAI_MODEL="tiny", **SHORT)
    job = jobs.get(jobs.submit(), wait=30)
    assert (job["status"], job["attempts"], job["error"]) == ("succeeded", 1, None)
    assert job["usage"]["run_seconds"] > 3 * float(SHORT["TIL_LEASE_SECONDS"])
    assert job["provenance"]["engine"] == "openai"
