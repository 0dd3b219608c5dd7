"""The port for metrics and health, through real sockets."""

from __future__ import annotations

import socket

import httpx
import pytest
from prometheus_client import Counter

from base.health import Health, serve

COUNTER = Counter("til_test_health_served", "Of this test.")


@pytest.fixture
def health() -> Health:
    """The health of a process that is starting."""
    return Health()


@pytest.fixture
def url(health: Health) -> str:
    """Its address."""
    return f"http://127.0.0.1:{serve(0, '127.0.0.1', health)}"


def test_a_starting_process_is_alive_and_not_ready(url: str) -> None:
    alive, ready = httpx.get(f"{url}/healthz"), httpx.get(f"{url}/readyz")
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (503, {"status": "unavailable", "faults": ["starting"]})
    assert ready.headers["retry-after"] == "2"


def test_the_answer_follows_the_present_faults(url: str, health: Health) -> None:
    health.ready = list
    assert httpx.get(f"{url}/readyz").status_code == 200
    health.alive = lambda: ["engine_loop"]
    found = httpx.get(f"{url}/healthz")
    assert (found.status_code, found.json()["faults"]) == (503, ["engine_loop"])


def test_the_metrics_are_on_the_same_port(url: str) -> None:
    COUNTER.inc()
    found = httpx.get(f"{url}/metrics")
    assert found.headers["content-type"].startswith("text/plain")
    assert "til_test_health_served_total 1.0" in found.text


def test_a_silent_client_does_not_delay_others(url: str) -> None:
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port or 0)) as silent:
        silent.sendall(b"GET /hea")
        assert httpx.get(f"{url}/healthz", timeout=5).status_code == 200


def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        serve(taken.getsockname()[1], "127.0.0.1", Health())


def test_it_can_be_served_over_ipv6(health: Health) -> None:
    try:
        port = serve(0, "::1", health)
    except OSError as error:
        pytest.fail(f"this machine has no ::1: {error}")
    assert httpx.get(f"http://[::1]:{port}/healthz").status_code == 200
