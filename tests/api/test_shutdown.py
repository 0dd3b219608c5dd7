"""SIGTERM to an api: waiting requests are answered at once, and open connections don't delay the end."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx

from tests.stack.processes import Stack, day, until
from tests.stack.raw import connection, head, read_head, read_to_the_end

STREAMS = "til_event_streams "


def test_waiting_requests_get_the_unfinished_job_and_the_process_ends(stack: Stack) -> None:
    api = stack.api()
    with stack.client() as client:
        job_id = client.post("/v1/til", json=day()).json()["id"]
        asks: list[Callable[[], httpx.Response]] = [
            lambda: client.post("/v1/til", json=day(), headers={"Prefer": "wait=60"}),
            lambda: client.get(f"/v1/jobs/{job_id}", params={"wait": 60}),
            lambda: client.get(f"/v1/jobs/{job_id}/events"),
        ]
        with ThreadPoolExecutor(len(asks)) as threads:
            waiting = [threads.submit(ask) for ask in asks]
            until(
                lambda: STREAMS + "1.0" in api.metrics() and len(client.get("/v1/jobs").json()["jobs"]) == 2
            )
            api.popen.send_signal(signal.SIGTERM)
            submitted, got, streamed = (one.result(10) for one in waiting)
    assert (submitted.status_code, submitted.json()["status"]) == (202, "queued")
    assert (got.status_code, got.json()["status"]) == (200, "queued")
    assert (streamed.status_code, "event: status" in streamed.text) == (200, True)
    assert api.popen.wait(10) == -signal.SIGTERM


def test_an_idle_connection_stays_open_for_as_long_as_the_setting_says(stack: Stack) -> None:
    stack.api(TIL_KEEP_ALIVE_SECONDS="620")
    with connection(stack, head("GET", "/healthz")) as long:
        read_head(long)
        stack.api(TIL_KEEP_ALIVE_SECONDS="1")
        with connection(stack, head("GET", "/healthz")) as short:
            read_to_the_end(short)
        long.sendall(head("GET", "/healthz"))
        assert "200" in read_head(long)


def test_incomplete_and_idle_connections_do_not_delay_the_end(stack: Stack) -> None:
    api, key = stack.api(), stack.keys["key"]
    with ExitStack() as open_ones:
        idle = open_ones.enter_context(connection(stack, head("GET", "/healthz")))
        assert "200" in read_head(idle)
        half_head = open_ones.enter_context(connection(stack, b"POST /v1/til HTTP/1.1\r\nHost:"))
        body = {"Content_Length": "1000", "Content_Type": "application/json"}
        half_body = open_ones.enter_context(connection(stack, head("POST", "/v1/til", key, **body) + b"{"))
        with stack.client() as client:
            assert client.get("/v1/jobs").status_code == 200
        api.popen.send_signal(signal.SIGTERM)
        answer = read_to_the_end(half_body)
        assert b" 503 " in answer
        assert b"shutting_down" in answer
        assert read_to_the_end(half_head) == b""
        read_to_the_end(idle)
        assert api.popen.wait(10) == -signal.SIGTERM
