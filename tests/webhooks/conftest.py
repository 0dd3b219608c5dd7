"""A sender in the test's own process."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator

import pytest

from jobs.steward import allow_many_connections
from jobs.webhook import Sender

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


@pytest.fixture(scope="session", autouse=True)
def open_files() -> None:
    """Both ends of many connections are in one process here."""
    allow_many_connections()


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    """Posts to loopback, for five seconds at most."""
    made = Sender("til-queue/test", 5, LOOPBACK)
    yield made
    await made.close()
