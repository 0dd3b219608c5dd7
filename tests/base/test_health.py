"""Metrics and health on a port of their own, through real sockets."""

from __future__ import annotations

import socket

import httpx
import pytest
from prometheus_client import Counter

from base.health import Health, serve

SEEN = Counter("til_test_health_served", "Of this test.")


@pytest.fixture
def health() -> Health:
    """Of a process that is starting."""
    return Health()


@pytest.fixture
def url(health: Health) -> str:
    """Where it is served."""
    return f"http://127.0.0.1:{serve(0, '127.0.0.1', health)}"


def test_a_process_that_starts_is_alive_and_not_ready(url: str) -> None:
    alive, ready = httpx.get(f"{url}/healthz"), httpx.get(f"{url}/readyz")
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (503, {"status": "unavailable", "faults": ["starting"]})
    assert ready.headers["retry-after"] == "2"


def test_what_is_wrong_is_said_as_it_is_now(url: str, health: Health) -> None:
    health.ready = list
    assert httpx.get(f"{url}/readyz").status_code == 200
    health.alive = lambda: ["engine_loop"]
    found = httpx.get(f"{url}/healthz")
    assert (found.status_code, found.json()["faults"]) == (503, ["engine_loop"])


def test_the_metrics_are_beside_it(url: str) -> None:
    SEEN.inc()
    found = httpx.get(f"{url}/metrics")
    assert found.headers["content-type"].startswith("text/plain")
    assert "til_test_health_served_total 1.0" in found.text


def test_a_client_that_says_nothing_holds_up_no_other(url: str) -> None:
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port or 0)) as silent:
        silent.sendall(b"GET /hea")
        assert httpx.get(f"{url}/healthz", timeout=5).status_code == 200


def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        serve(taken.getsockname()[1], "127.0.0.1", Health())


def test_it_is_served_over_ipv6_where_the_host_says_so(health: Health) -> None:
    try:
        port = serve(0, "::1", health)
    except OSError as error:
        pytest.fail(f"this machine has no ::1: {error}")
    assert httpx.get(f"http://[::1]:{port}/healthz").status_code == 200
