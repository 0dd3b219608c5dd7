"""Lost answers of the database, and results that can't be stored: every job still ends exactly once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from api.group_commit import Submitter
from base.database import API, Database
from jobs.submission import Submission, Submitted
from tests.faults.conftest import ONE_RUN, openai_settings, served
from tests.jobs.conftest import job
from tests.stack.jobs import SHORT, Jobs
from tests.stack.processes import Stack, day, until
from tests.stack.proxy import Proxy
from tests.worker.test_openai import OK, event
from til.request import TilRequest
from worker.engines.outline.draft import outline


@pytest.mark.parametrize("key", ["c", None])
@pytest.mark.parametrize("committed", [True, False])
def test_after_a_connection_cut_at_commit_the_client_gets_the_true_outcome(
    stack: Stack, proxied_url: str, proxy: Proxy, committed: bool, key: str | None
) -> None:
    stack.database_url = proxied_url
    stack.api()
    headers = {"Idempotency-Key": key} if key else {}
    with stack.client() as client:
        for _ in range(2):
            client.post("/v1/til", json=day())
        proxy.cut_at(b"COMMIT", forward=committed)
        answer = client.post("/v1/til", json=day(repo="ada/cut"), headers=headers)
        assert (proxy.cuts, answer.status_code) == (1, 202)
        if key:
            again = client.post("/v1/til", json=day(repo="ada/cut"), headers=headers)
            assert (again.headers["idempotent-replayed"], again.json()["id"]) == ("true", answer.json()["id"])
        found = client.get("/v1/jobs", params={"repo": "ada/cut"}).json()["jobs"]
        assert [job["id"] for job in found] == [answer.json()["id"]]


@pytest.mark.parametrize("committed", [True, False])
async def test_after_a_cut_at_the_commit_of_a_batch_every_client_gets_the_true_outcome(
    database: Database, tenant_id: Any, proxied_url: str, proxy: Proxy, committed: bool
) -> None:
    cut = Database(proxied_url, API)
    submitter = Submitter(cut)
    request = TilRequest.model_validate(day())
    keys = ["a", None, "b", None, None]
    batch = [Submission(tenant_id, request, "default", key) for key in keys]
    proxy.cut_at(b"COMMIT", forward=committed)
    outcomes = await asyncio.gather(*map(submitter.submit, batch))
    assert proxy.cuts == 1
    assert outcomes == [Submitted(one.id) for one in batch]
    assert [(await job(database, one.id)).status for one in batch] == ["queued"] * len(batch)
    await cut.close()


def test_a_claim_whose_answer_was_lost_is_released_and_claimed_again(
    stack: Stack, proxied_url: str, proxy: Proxy, jobs: Jobs
) -> None:
    stack.steward(**SHORT)
    worker = stack.worker(DATABASE_URL=proxied_url, **SHORT)
    proxy.cut_at(b"COMMIT", forward=True, after=b"claim_no + ")
    job_id = jobs.submit()
    assert jobs.get(job_id, wait=20)["status"] == "succeeded"
    assert proxy.cuts == 1
    assert jobs.history(job_id) == ["submit", "claim", "release", "claim", "succeed"]
    assert jobs.get(job_id)["attempts"] == 1
    assert "released_unknown_claims" in worker.log.read_text()


def test_one_key_at_the_same_instant_through_two_apis_makes_one_job(stack: Stack) -> None:
    urls = [api_url(stack) for _ in range(2)]
    both_ready = threading.Barrier(len(urls))

    def submit(url: str, key: str) -> httpx.Response:
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {stack.keys['key']}"}) as client:
            client.get("/healthz")
            both_ready.wait(20)
            return client.post("/v1/til", json=day(), headers={"Idempotency-Key": key})

    with ThreadPoolExecutor(len(urls)) as pool:
        for number in range(10):
            answers = list(pool.map(submit, urls, [f"k{number}"] * len(urls)))
            assert [answer.status_code for answer in answers] == [202, 202]
            assert len({answer.json()["id"] for answer in answers}) == 1
            assert sum("idempotent-replayed" in answer.headers for answer in answers) == 1
    with stack.client() as client:
        assert len(Jobs(client).all()) == 10


def api_url(stack: Stack) -> str:
    """The address of another api of this stack."""
    stack.api()
    return stack.api_url


@pytest.fixture
def rude_server() -> Iterator[str]:
    """An OpenAI-compatible server whose posts hold characters that PostgreSQL can't store."""
    request = TilRequest.model_validate(day())
    draft = outline(request, request.sources(), 3, 200)
    draft.title, draft.learned[0].text = "c\x00d", "a\x00b SURROGATE e"
    text = draft.model_dump_json().replace("SURROGATE", "\\ud800")

    async def answer(writer: asyncio.StreamWriter, _: dict[str, Any]) -> None:
        writer.write(OK + event(text) + event(None, "stop") + b"data: [DONE]\n\n")

    with served(answer) as url:
        yield url


def test_a_post_with_characters_that_can_not_be_stored_is_stored_without_them(
    stack: Stack, jobs: Jobs, rude_server: str
) -> None:
    stack.worker(**openai_settings(rude_server), TIL_OPENAI_PROOF="0")
    job_id = jobs.submit()
    result = jobs.get(job_id, wait=20)["result"]
    assert jobs.history(job_id) == ONE_RUN
    assert (result["title"], result["sections"][0]["points"][0]["text"]) == ("cd", "ab e")


def test_a_result_that_can_not_be_stored_counts_as_a_failure(stack: Stack, jobs: Jobs) -> None:
    stack.steward()
    stack.start_ready("tests.stack.faulty_worker", FAULT="unwritable")
    job_id = jobs.submit()
    until(lambda: jobs.get(job_id)["finished_at"], 30)
    found = jobs.get(job_id)
    assert (found["status"], found["error"]["code"], found["attempts"]) == ("failed", "engine_failed", 3)
    assert jobs.history(job_id) == ["submit", *["claim", "retry"] * 2, "claim", "fail"]
