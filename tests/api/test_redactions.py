"""A secret that a client submits is nowhere: not in the database, not in a log, not in an answer."""

from __future__ import annotations

from typing import Any

import httpx
from sqlalchemy import text

from base.database import ADMIN, Database
from tests.stack.processes import Stack, day, until
from tests.stack.receiver import Receiver
from tests.til.secrets_corpus import ALNUM, UPNUM, as_diff, draw
from tests.til.secrets_keys import key

TABLES = ("jobs", "job_events", "deliveries")


def secrets() -> dict[str, str]:
    """One of each kind that the test submits."""
    return {
        "aws_access_key": "AK" + "IA" + draw(UPNUM, 16),
        "aws_secret_key": draw(ALNUM + "/+", 40),
        "github_token": "gh" + "p_" + draw(ALNUM, 36),
        "password": draw(ALNUM, 18),
    }


def a_day_with(found: dict[str, str], pem: str) -> dict[str, Any]:
    """The secrets in every place where a client writes text."""
    code = f'id = "{found["aws_access_key"]}"\nkey = "{found["aws_secret_key"]}"\n'
    message = f"use {found['github_token']}\n\npassword: {found['password']}"
    patches = [{"commit_message": message, "patch": as_diff(code + pem), "sha": "4f2a91c0"}]
    files = [{"filepath": f"src/{found['github_token']}.py", "latest_code": code, "patches": patches}]
    return day(files=files, repo=found["github_token"], metadata={"db_password": found["password"]})


async def stored(stack: Stack) -> str:
    """Every row of a job, as text."""
    pool = Database(stack.database_url, ADMIN)
    try:
        async with pool.session() as session:
            rows = [await session.scalars(text(f"SELECT t::text FROM {table} t")) for table in TABLES]
            return "\n".join(row for one in rows for row in one)
    finally:
        await pool.close()


async def test_a_submitted_secret_is_nowhere_and_the_job_lists_what_was_redacted(stack: Stack) -> None:
    api, found, pem = stack.api(), secrets(), key("RSA PRI" + "VATE KEY")
    with stack.client() as client:
        answer = client.post("/v1/til", json=a_day_with(found, pem))
        again = client.get(answer.headers["location"])
    path = "src/[redacted:github_token].py"
    told = {(one["kind"], one["filepath"]): one["count"] for one in answer.json()["redactions"]}
    assert (answer.status_code, again.json()) == (202, answer.json())
    assert told == {
        ("github_token", None): 1,
        ("password", None): 1,
        ("github_token", path): 2,
        ("aws_access_key", path): 2,
        ("aws_secret_key", path): 2,
        ("password", path): 1,
        ("private_key", path): 1,
    }
    places = (await stored(stack), api.log.read_text(), answer.text)
    assert "[redacted:aws_access_key]" in places[0]
    for secret in (*found.values(), *pem.split("\n")[1:-1]):
        assert [secret in place for place in places] == [False] * 3


def test_a_retry_of_a_request_with_a_secret_replays_its_job(client: httpx.Client) -> None:
    body, headers = a_day_with(secrets(), key("PRI" + "VATE KEY")), {"Idempotency-Key": "k1"}
    first, again = (client.post("/v1/til", json=body, headers=headers) for _ in range(2))
    assert again.headers["idempotent-replayed"] == "true"
    assert (again.json()["id"], again.json()["redactions"]) == (
        first.json()["id"],
        first.json()["redactions"],
    )


def test_redactions_are_a_hundred_at_most_and_in_lists_and_webhooks_only_counts(
    stack: Stack, receiver: Receiver
) -> None:
    stack.api()
    stack.steward()
    code = "\n".join([f'password = "{draw(ALNUM, 18)}"', "gh" + "p_" + draw(ALNUM, 36)])
    patch = {"commit_message": "m", "patch": "p"}
    files = [
        {"filepath": f"{number:04d}/{'p' * 1000}", "latest_code": code, "patches": [patch]}
        for number in range(300)
    ]
    body = day(files=files, webhook={"url": receiver.url, "events": ["cancelled"]})
    with stack.client() as client:
        job = client.post("/v1/til", json=body).json()
        listed = client.get("/v1/jobs").json()["jobs"][0]
        client.post(f"/v1/jobs/{job['id']}/cancel")
        until(lambda: receiver.messages)
    first, rest = job["redactions"][:100], job["redactions"][100:]
    assert all(one["count"] == 1 and one["filepath"] for one in first)
    assert sum(one["count"] for one in job["redactions"]) == 600
    assert {(one["kind"], one["filepath"], one["entries"]) for one in rest} == {
        ("password", None, 250),
        ("github_token", None, 250),
    }
    counts = [
        {"kind": kind, "filepath": None, "count": 300, "entries": 300}
        for kind in ("github_token", "password")
    ]
    told = receiver.messages[0]["data"]["redactions"]
    assert sorted(listed["redactions"], key=lambda one: str(one["kind"])) == counts
    assert sorted(told, key=lambda one: str(one["kind"])) == counts
