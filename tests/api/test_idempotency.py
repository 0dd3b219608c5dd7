"""A repeated Idempotency-Key gets the first status code; a body with another secret is another body."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from sqlalchemy import text

from base.database import ADMIN, Database
from tests.stack.processes import Stack, day, until
from tests.til.secrets_corpus import ALNUM, draw

WAIT = {"Prefer": "wait=30"}


def submit(
    client: httpx.Client, key: str, prefer: dict[str, str] | None = None, **more: object
) -> httpx.Response:
    return client.post("/v1/til", json=day(**more), headers={"Idempotency-Key": key, **(prefer or {})})


def sql(stack: Stack, statement: str) -> list[Any]:
    async def run() -> list[Any]:
        pool = Database(stack.database_url, ADMIN)
        async with pool.session() as session:
            rows = list((await session.execute(text(statement))).all())
        await pool.close()
        return rows

    return asyncio.run(run())


def test_a_replay_gets_the_status_code_of_the_first_request(client: httpx.Client, stack: Stack) -> None:
    first, replayed = {}, {}
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(submit, client, "waited", WAIT)
        until(lambda: client.get("/v1/jobs").json()["jobs"])
        meanwhile = submit(client, "waited")
        ran_out = submit(client, "ran out", {"Prefer": "wait=1"}, repo="ada/2")
        assert (meanwhile.status_code, meanwhile.json()["status"], ran_out.status_code) == (
            202,
            "queued",
            202,
        )
        stack.worker()
        first["waited"] = waiting.result()
    until(lambda: client.get(ran_out.headers["location"]).json()["status"] == "succeeded")
    first |= {"ran out": ran_out, "reused": submit(client, "reused", reuse=True)}
    replayed["waited"] = submit(client, "waited")
    replayed["ran out"] = submit(client, "ran out", WAIT, repo="ada/2")
    replayed["reused"] = submit(client, "reused", reuse=True)
    codes = {name: (first[name].status_code, replayed[name].status_code) for name in first}
    assert codes == {"waited": (200, 200), "ran out": (202, 202), "reused": (200, 200)}
    for name, answer in replayed.items():
        assert answer.headers["idempotent-replayed"] == "true"
        assert (answer.json()["id"], answer.json()["status"]) == (first[name].json()["id"], "succeeded")


def test_many_first_requests_at_once_make_one_job_and_get_one_code(
    client: httpx.Client, stack: Stack
) -> None:
    stack.worker()
    barrier = threading.Barrier(8)

    def one(_: int) -> httpx.Response:
        barrier.wait()
        return submit(client, "k", WAIT)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(one, range(8)))
    assert {(answer.status_code, answer.json()["status"]) for answer in answers} == {(200, "succeeded")}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert [answer.headers.get("idempotent-replayed") for answer in answers].count(None) == 1


def test_bodies_that_differ_only_in_a_secret_are_two_and_the_hash_is_keyed(stack: Stack) -> None:
    stack.api()
    messages = [f"password: {draw(ALNUM, 18)}" for _ in range(2)]
    bodies = [
        day(files=[{"filepath": "a", "patches": [{"commit_message": message, "patch": "p"}]}])
        for message in messages
    ]
    with stack.client() as client, stack.client(stack.another_tenant()["key"]) as other:
        answers = [
            one.post("/v1/til", json=body, headers={"Idempotency-Key": "k"})
            for one, body in (
                (client, bodies[0]),
                (client, bodies[1]),
                (client, bodies[0]),
                (other, bodies[0]),
            )
        ]
    assert [answer.status_code for answer in answers] == [202, 422, 202, 202]
    assert answers[1].json()["code"] == "idempotency_key_reused"
    hashes = {row.request_mac for row in sql(stack, "SELECT request_mac FROM jobs")}
    assert len(hashes) == 2


def test_a_key_of_the_version_before_is_still_replayed(stack: Stack) -> None:
    stack.api()
    with stack.client() as client:
        first = submit(client, "k")
        sql(stack, "UPDATE jobs SET request_mac = NULL, first_saw_end = NULL RETURNING id")
        again, other = submit(client, "k"), submit(client, "k", language="ko")
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
