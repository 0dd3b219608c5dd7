"""Replays: with the template, seed and sampling of the first post, or with those of today."""

from __future__ import annotations

import asyncio
import uuid

from sqlalchemy import update

from base.clock import NOW
from base.database import ADMIN, Database
from base.tables import Job
from tests.stack.jobs import Jobs
from tests.stack.processes import Stack
from worker.writing.template import CURRENT


def test_a_replay_has_the_old_seed_sampling_and_template_or_those_of_today(stack: Stack, jobs: Jobs) -> None:
    stack.steward()
    stack.worker()
    old = jobs.get(jobs.submit(options={"temperature": 0.7}, metadata={"a": "b"}, reuse=True), wait=20)
    assert old["status"] == "succeeded"
    answer = jobs.client.post(f"/v1/jobs/{old['id']}/replay", json={"with": "same"})
    assert (answer.status_code, answer.headers["location"]) == (202, f"/v1/jobs/{answer.json()['id']}")
    same = jobs.get(answer.json()["id"], wait=20)
    assert (same["status"], same["replay_of"], same["reused"]) == ("succeeded", old["id"], False)
    assert same["result"] == old["result"]
    assert same["metadata"] == {"a": "b"}
    for name in ("seed", "temperature", "prompt_digest"):
        assert same["provenance"][name] == old["provenance"][name]
    latest = jobs.client.post(f"/v1/jobs/{old['id']}/replay", json={"with": "latest"}).json()
    found = jobs.get(latest["id"], wait=20)["provenance"]
    assert found["prompt_digest"] == CURRENT.digest("en")
    assert found["seed"] != old["provenance"]["seed"]


def test_jobs_that_can_not_be_replayed_are_refused_with_a_reason(stack: Stack, jobs: Jobs) -> None:
    queued = jobs.submit()
    path = f"/v1/jobs/{queued}/replay"
    assert problem(jobs, path, {"with": "same"}) == (409, "not_finished")
    assert problem(jobs, path, {"with": "old"}) == (422, "invalid_request")
    assert problem(jobs, f"/v1/jobs/{uuid.uuid4()}/replay", {}) == (404, "not_found")
    with stack.client(stack.another_tenant()["key"]) as stranger:
        assert stranger.post(path).status_code == 404
    assert jobs.client.post(f"/v1/jobs/{queued}/cancel").status_code == 200
    assert jobs.client.post(path).status_code == 202
    asyncio.run(erase(stack.database_url, queued))
    assert problem(jobs, path, {"with": "latest"}) == (410, "request_erased")


def problem(jobs: Jobs, path: str, body: dict[str, str]) -> tuple[int, str]:
    answer = jobs.client.post(path, json=body)
    return answer.status_code, answer.json().get("code")


async def erase(url: str, job_id: str) -> None:
    """As retention does."""
    pool = Database(url, ADMIN)
    async with pool.session() as session:
        gone = update(Job).where(Job.id == uuid.UUID(job_id)).values(request=None, erased_at=NOW)
        await session.execute(gone)
    await pool.close()
