"""An api process of its own for each test, and a client with a key."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.stack.processes import Stack


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    """Talks to a freshly started api."""
    stack.api()
    with stack.client() as http:
        yield http
