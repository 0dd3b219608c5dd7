"""Bodies that are missing, slow or too many: their limits, and that other requests are served."""

from __future__ import annotations

import pytest

from tests.stack.processes import Stack
from tests.stack.raw import connection, head, read_head

MEBIBYTE = 1024 * 1024
STALLED = {"Content_Type": "application/json", "Content_Length": str(4 * MEBIBYTE)}
CHUNKED = {"Content_Type": "application/json", "Transfer_Encoding": "chunked"}


@pytest.mark.parametrize("key", [None, "til_wrong"])
@pytest.mark.parametrize("headers", [STALLED, CHUNKED, STALLED | {"Expect": "100-continue"}])
def test_without_a_valid_key_a_body_is_not_waited_for(
    stack: Stack, key: str | None, headers: dict[str, str]
) -> None:
    stack.api()
    with connection(stack, head("POST", "/v1/til", key, **headers)) as made:
        assert read_head(made).startswith("HTTP/1.1 401 ")


def test_the_key_is_checked_before_the_body(stack: Stack) -> None:
    stack.api()
    for path in ("/v1/til", "/v1/webhook-secret/rotate", "/v1/nothing"):
        with connection(stack, head("POST", path, **STALLED | {"Content_Length": "5"}) + b'{"a":') as made:
            assert read_head(made).startswith("HTTP/1.1 401 ")
