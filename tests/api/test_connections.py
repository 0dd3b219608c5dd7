"""More clients than files: clients that send no whole request are closed for others; health is answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx
import pytest

from tests.stack.few_files import FILES
from tests.stack.processes import Stack, day, until
from tests.stack.raw import connection, head, read_to_the_end

FEW_FILES = "tests.stack.few_files"
LONGEST_LOG_BYTES = 500_000


@contextmanager
def clients(stack: Stack, count: int, data: bytes) -> Iterator[None]:
    """Open connections, each of which has sent `data`."""
    with ExitStack() as opened:
        for _ in range(count):
            opened.enter_context(connection(stack, data))
        yield


def healthy(stack: Stack) -> bool:
    return httpx.get(f"{stack.api_url}/healthz", timeout=5).status_code == 200


def test_clients_with_incomplete_heads_are_closed_for_others(stack: Stack) -> None:
    api = stack.api(FEW_FILES)
    with (
        clients(stack, 2 * FILES, b"GET /healthz HTTP/1.1\r\nHost: til\r\nX-Half: "),
        stack.client() as client,
    ):
        assert healthy(stack)
        assert client.post("/v1/til", json=day()).status_code == 202
    assert api.log.stat().st_size < LONGEST_LOG_BYTES


def test_connections_over_the_limit_of_files_are_refused_and_health_is_answered(stack: Stack) -> None:
    api = stack.api(FEW_FILES)
    with stack.client() as client:
        job_id = client.post("/v1/til", json=day()).json()["id"]
    wait = head("GET", f"/v1/jobs/{job_id}?wait=60", stack.keys["key"])
    with clients(stack, FILES // 2, wait):
        until(lambda: f"til_connections {FILES // 2}" in api.metrics())
        with stack.client() as client:
            refused = client.get("/v1/queue")
        assert (refused.status_code, refused.json()["code"]) == (503, "queue_full")
        assert (refused.headers["retry-after"], refused.headers["connection"]) == ("1", "close")
        assert healthy(stack)
        with clients(stack, FILES, wait):
            assert healthy(stack)
    assert api.log.stat().st_size < LONGEST_LOG_BYTES
    until(lambda: healthy(stack) and "til_connections 0.0" in api.metrics())


def test_incomplete_heads_and_bodies_time_out(stack: Stack) -> None:
    stack.api()
    sized = {"Content_Type": "application/json", "Content_Length": "9"}
    half = head("POST", "/v1/til", stack.keys["key"], **sized) + b"{"
    with connection(stack, half) as in_body, connection(stack, b"GET / HTTP/1.1\r\nHost") as in_head:
        in_body.settimeout(50)
        assert read_to_the_end(in_head) == b""
        answer = read_to_the_end(in_body)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"request_timeout"' in answer


ENDLESS = {
    "a field": (b"GET /healthz HTTP/1.1\r\nHost: til\r\nX-Long: ", b"x" * 1000),
    "fields": (b"GET /healthz HTTP/1.1\r\nHost: til\r\n", b"X-More: 1\r\n" * 100),
    "an address": (b"GET /", b"x" * 1000),
    "an extension of a chunk": (b"POST /v1/til HTTP/1.1\r\nHost: til\r\n{0}\r\n1;x=", b"x" * 1000),
    "trailers": (b"POST /v1/til HTTP/1.1\r\nHost: til\r\n{0}\r\n1\r\n{\r\n0\r\n", b"X-More: 1\r\n" * 100),
}


@pytest.mark.parametrize("of", ENDLESS)
def test_heads_trailers_and_chunk_extensions_are_bounded(stack: Stack, of: str) -> None:
    api = stack.api()
    begin, more = ENDLESS[of]
    key = f"Authorization: Bearer {stack.keys['key']}\r\nContent-Type: application/json\r\n"
    begin = begin.replace(b"{0}", f"{key}Transfer-Encoding: chunked\r\n".encode())
    with connection(stack, begin) as client:
        sent = 0
        with suppress(ConnectionError):
            while sent < 30 * 2**20:
                client.sendall(more)
                sent += len(more)
        assert sent < 15 * 2**20  # What the sockets hold is a few MiB.
    assert "Traceback" not in api.log.read_text()
    assert healthy(stack)
