"""Submissions over the limit are refused at once, with Retry-After."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.stack.processes import Stack, day


def test_more_than_can_wait_is_503_with_retry_after(stack: Stack) -> None:
    stack.api(TIL_WAITING_BYTES="1000000")
    file = day()["files"][0] | {"latest_code": "turn(crank)\n" * 50_000}

    def submit(_: int) -> httpx.Response:
        with stack.client() as client:
            return client.post("/v1/til", json=day(files=[file]))

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(submit, range(36)))
    refused = [answer for answer in answers if answer.status_code == 503]
    assert {answer.status_code for answer in answers} == {202, 503}
    assert {(one.json()["code"], one.headers["Retry-After"]) for one in refused} == {("queue_full", "5")}
