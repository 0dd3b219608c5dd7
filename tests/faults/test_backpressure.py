"""A model's server that refuses calls for a while, or for ever: jobs wait, and fail only for own faults."""

from __future__ import annotations

import asyncio
import threading
import time
from itertools import pairwise
from typing import Any

from tests.faults.conftest import ONE_RUN, openai_settings, served
from tests.stack.jobs import Jobs
from tests.stack.processes import Stack, day, until
from tests.worker.foreign_answers import DONE, refusal
from tests.worker.test_openai import MODELS, OK, event
from til.request import TilRequest
from worker.engines.outline.draft import outline

REQUEST = TilRequest.model_validate(day())
POST = outline(REQUEST, REQUEST.sources(), 3, 200).model_dump_json()
WHOLE = OK + event(POST) + event(None, "stop") + DONE


class Server:
    """Answers with the next of `first`, then with a post. `asked`: when each call came."""

    def __init__(self, *first: bytes) -> None:
        self.first = list(first)
        self.asked: list[float] = []
        self.inside = 0
        self.most_at_once: int | None = None
        self.peak = 0
        self.known = threading.Event()
        self.known.set()

    async def answer(self, writer: asyncio.StreamWriter, _: dict[str, Any]) -> None:
        self.asked.append(time.monotonic())
        if self.most_at_once is not None and self.inside >= self.most_at_once:
            writer.write(refusal(429, {"message": "too many"}, "retry-after-ms: 300"))
        elif not self.known.is_set():
            writer.write(refusal(401, {"message": "unknown key"}))
        else:
            writer.write(self.first.pop(0) if self.first else await self.whole())

    async def whole(self) -> bytes:
        self.inside += 1
        self.peak = max(self.peak, self.inside)
        await asyncio.sleep(0.1 if self.most_at_once else 0)
        self.inside -= 1
        return WHOLE

    def models(self) -> bytes:
        return MODELS if self.known.is_set() else refusal(401, {"message": "unknown key"})


def work(stack: Stack, url: str, slots: int = 10) -> Any:
    stack.steward()
    return stack.worker(**openai_settings(url), TIL_OPENAI_PROOF="0", TIL_SLOTS=str(slots))


def test_a_busy_server_is_waited_for_as_it_asks_without_charging_a_failure(stack: Stack, jobs: Jobs) -> None:
    """A wait that a run can't afford is spent in the queue."""
    server = Server(*[refusal(503, {"message": "slow down"}, "retry-after: 1")] * 2)
    with served(server.answer) as url:
        work(stack, url)
        short = jobs.submit()
        found = jobs.get(short, wait=30)
        server.first.append(refusal(429, {"message": "slow down"}, "retry-after: 2"))
        long = jobs.submit(run_seconds=2)
        assert jobs.get(long, wait=30)["attempts"] == 1
    assert (found["status"], found["attempts"], found["usage"]["calls"]) == ("succeeded", 1, 1)
    assert jobs.history(short) == ONE_RUN
    assert jobs.history(long) == ["submit", "claim", "release", "claim", "succeed"]
    waits = [later - before for before, later in pairwise(server.asked)]
    assert min(waits[0], waits[1]) >= 1
    assert (len(waits), waits[3] >= 2) == (4, True)


def test_a_server_gets_no_more_calls_and_its_worker_no_more_jobs_than_it_takes(
    stack: Stack, jobs: Jobs
) -> None:
    server = Server()
    server.most_at_once = 2
    with served(server.answer) as url:
        work(stack, url)
        ids = [jobs.submit() for _ in range(12)]
        until(lambda: all(jobs.get(i)["status"] == "succeeded" for i in ids), 60)
    assert server.peak == 2
    assert {jobs.get(i)["attempts"] for i in ids} == {1}
    assert len(server.asked) < 3 * len(ids)


def test_no_job_fails_while_the_servers_key_is_invalid(stack: Stack, jobs: Jobs) -> None:
    server = Server()
    with served(server.answer, server.models) as url:
        worker = work(stack, url)
        server.known.clear()
        job_id = jobs.submit()
        until(lambda: "release" in jobs.history(job_id), 20)
        assert "unknown key" in worker.log.read_text()
        server.known.set()
        found = jobs.get(job_id, wait=60)
    assert (found["status"], found["attempts"]) == ("succeeded", 1)


def test_a_failed_job_has_its_reason_and_its_usage(stack: Stack, jobs: Jobs) -> None:
    usage = b'data: {"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 10}}\n\n'
    broken, no_post = OK + event("{") + event("}"), OK + event("{}") + event(None, "stop") + usage + DONE
    for_good = refusal(400, {"message": "no such thing at http://10.1.2.3/v1"})
    server = Server(for_good, broken, no_post, no_post)
    with served(server.answer) as url:
        worker = work(stack, url)
        refused, unfit = jobs.get(jobs.submit(), wait=30), jobs.get(jobs.submit(), wait=30)
        server.first = [refusal(429, {"message": "slow down"}, "retry-after: 60")]
        late = jobs.get(jobs.submit(run_seconds=2, queue_seconds=30), wait=30)
    assert refused["error"] == error("refused the call (400): no such thing at [address]", retryable=False)
    assert refused["usage"]["calls"] == 0
    assert "10.1.2.3" in worker.log.read_text()
    assert jobs.history(unfit["id"]) == ["submit", "claim", "retry", "claim", "fail"]
    spent = unfit["usage"]
    assert (unfit["error"]["code"], spent["calls"], spent["completion_tokens"]) == ("invalid_output", 3, 22)
    assert spent["prompt_tokens"] > 200
    assert late["error"] == error("takes no more calls at the moment (429): slow down", retryable=True)
    assert len(server.asked) == 5


def error(words: str, retryable: bool) -> dict[str, Any]:
    return {"code": "engine_failed", "message": f"The model's server {words}", "retryable": retryable}
