"""POST /v1/til over real HTTP: what is accepted, what is refused, and that nothing is half-written."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.stack.processes import Stack, day


def count(client: httpx.Client) -> int:
    return len(client.get("/v1/jobs", params={"limit": 100}).json()["jobs"])


def test_a_submit_is_answered_with_the_queued_job_and_where_it_is(client: httpx.Client) -> None:
    answer = client.post("/v1/til", json=day(metadata={"a": "b"}, priority=3))
    job = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (202, f"/v1/jobs/{job['id']}")
    assert (job["status"], job["position"], job["attempts"], job["metadata"]) == ("queued", 1, 0, {"a": "b"})
    assert job["waiting_for"] == "cold_start"
    assert client.get(answer.headers["location"]).json() == job
    assert answer.headers["x-request-id"]


PATCH: dict[str, Any] = {"commit_message": "m", "patch": "p"}
FILE: dict[str, Any] = {"filepath": "a", "latest_code": "", "patches": [PATCH]}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (day(username=""), "/username"),
        (day(date="2025-02-30"), "/date"),
        (day(files=[]), "/files"),
        (day(files=[FILE | {"patches": []}]), "/files/0/patches"),
        (day(files=[FILE, FILE | {"patches": [PATCH | {"sha": "xyz"}]}]), "/files/1/patches/0/sha"),
        (day(files=[FILE | {"latest_code": "a\x00b"}]), "/files/0/latest_code"),
        (day(metadata={"a/~": "\x00"}), "/metadata/a~1~0"),
        (day(metadata={str(n): "" for n in range(17)}), "/metadata"),
        (day(language="tlh"), "/language"),
        (day(model="nobody-offers-this"), "/model"),
        (day(priority=3601), "/priority"),
        (day(queue_seconds=0), "/queue_seconds"),
        (day(run_seconds=1e9), "/run_seconds"),
        (day(options={"temperature": 3}), "/options/temperature"),
        (day(options={"max_output_tokens": "many"}), "/options/max_output_tokens"),
        (day(webhook={"url": "https://example.com", "events": ["born"]}), "/webhook/events/0"),
        (day(unknown=1), "/unknown"),
        ([], ""),
    ],
)
def test_bad_input_is_refused_with_a_pointer(client: httpx.Client, body: Any, pointer: str) -> None:
    answer = client.post("/v1/til", json=body)
    problem = answer.json()
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["code"], problem["type"]) == ("invalid_request", "/problems/invalid_request")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert count(client) == 0


def test_a_body_that_is_not_json_is_refused(client: httpx.Client) -> None:
    answer = client.post("/v1/til", content=b'{"a":', headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "")


def test_a_lone_surrogate_is_refused(client: httpx.Client) -> None:
    body = json.dumps(day(repo="X")).replace('"X"', '"\\ud800"')
    answer = client.post("/v1/til", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_413_declared_or_streamed(stack: Stack, chunked: bool) -> None:
    stack.api(TIL_BODY_LIMIT_BYTES="20000")
    body = json.dumps(day(repo="r" * 100, files=[FILE | {"latest_code": "x" * 30_000}])).encode()
    content = iter([body[:10_000], body[10_000:]]) if chunked else body
    with stack.client() as client:
        answer = client.post("/v1/til", content=content, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
        assert count(client) == 0


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "https://169.254.169.254/", "ftp://example.com/", "https://u:p@example.com/"]
)
def test_a_webhook_to_a_forbidden_address_is_refused(client: httpx.Client, url: str) -> None:
    answer = client.post("/v1/til", json=day(webhook={"url": url}))
    assert (answer.status_code, answer.json()["code"]) == (422, "webhook_url_forbidden")
    assert url not in answer.text


def test_without_a_valid_key_every_path_is_401(stack: Stack) -> None:
    stack.api()
    for headers in ({}, {"Authorization": "Bearer til_wrong"}, {"Authorization": "Basic abc"}):
        answer = httpx.post(f"{stack.api_url}/v1/til", json=day(), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_an_idempotency_key_replays_the_job_or_refuses_another_body(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = client.post("/v1/til", json=day(), headers=headers)
    again = client.post("/v1/til", json=day(), headers=headers)
    other = client.post("/v1/til", json=day(language="ko"), headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json()["id"] == first.json()["id"]
    assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (None, "true")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert count(client) == 1


def test_prefer_wait_that_runs_out_is_202_with_the_unfinished_job(client: httpx.Client) -> None:
    answer = client.post("/v1/til", json=day(), headers={"Prefer": "respond-async, wait=1"})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert "preference-applied" not in answer.headers
