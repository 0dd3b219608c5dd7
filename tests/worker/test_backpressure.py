"""Backpressure: the gate before a server that refuses calls."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from worker.engines import EngineBusy
from worker.engines.backpressure import JITTER, LONGEST_ASKED_SECONDS, REFUSALS_IN_A_ROW, Backpressure
from worker.engines.refusal import asked_to_wait

SPREAD = 1 + JITTER


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[], float]:
    """The gate's clock, which a busy machine can't advance: each look takes a microsecond."""
    looks = itertools.count()
    found = SimpleNamespace(monotonic=lambda: 1000 + next(looks) / 1e6)
    monkeypatch.setattr("worker.engines.backpressure.time", found)
    return found.monotonic  # type: ignore[no-any-return]


async def inside(gate: Backpressure, calls: int) -> float:
    return [await gate.enter(math.inf) for _ in range(calls)][-1]


async def test_it_opens_when_the_server_said_never_before_and_reports_it() -> None:
    gate, opened = Backpressure(30), asyncio.Event()
    gate.on_open = opened.set
    sent = await inside(gate, 1)
    gate.rejected(sent, 0.2)
    gate.leave()
    closed_at = time.monotonic()
    assert gate.claimable(0) == 0
    async with asyncio.timeout(10):
        await gate.enter(math.inf)
        await opened.wait()
    assert time.monotonic() - closed_at >= 0.19
    assert (gate.seconds(), gate.claimable(0), gate.claimable(1)) == (0, 1, 0)


async def test_without_retry_after_pauses_double_once_for_all_calls_sent_before(
    clock: Callable[[], float],
) -> None:
    gate = Backpressure(30)
    sent = await inside(gate, 8)
    for _ in range(8):
        gate.rejected(sent, None)
        gate.leave()
    assert 0.99 <= gate.seconds() <= SPREAD
    gate.rejected(clock(), None)
    assert 1.99 <= gate.seconds() <= 2 * SPREAD
    for _ in range(20):
        gate.rejected(clock(), None)
    assert 59.9 <= gate.seconds() <= 60 * SPREAD
    gate.rejected(clock(), 10**9)
    assert LONGEST_ASKED_SECONDS - 0.1 <= gate.seconds() <= LONGEST_ASKED_SECONDS * SPREAD


async def test_as_many_calls_at_once_as_were_taken_then_slowly_more() -> None:
    gate = Backpressure(30)
    sent = await inside(gate, 10)
    for _ in range(6):
        gate.rejected(sent, 0)
        gate.leave()
    assert gate.claimable(0) == 4
    for _ in range(200):
        gate.succeeded()
    assert 5 < (gate.claimable(0) or 99) <= 30
    for _ in range(1000):
        gate.succeeded()
    assert gate.claimable(0) is None


async def test_a_call_that_can_not_wait_that_long_is_refused(clock: Callable[[], float]) -> None:
    gate = Backpressure(30)
    gate.rejected(await inside(gate, 1), 5)
    gate.leave()
    with pytest.raises(EngineBusy) as busy:
        await gate.enter(clock() + 1)
    assert 4.99 <= (busy.value.after_seconds or 0) <= 5 * SPREAD
    gate.rejected(clock(), 100)
    with pytest.raises(EngineBusy):
        await gate.enter(math.inf)


async def test_it_closes_after_several_refusals_in_a_row_that_may_concern_every_call() -> None:
    gate = Backpressure(30)
    for _ in range(REFUSALS_IN_A_ROW - 1):
        gate.refused()
    assert gate.claimable(0) is None
    gate.succeeded()
    gate.refused()
    assert gate.claimable(0) is None
    for _ in range(REFUSALS_IN_A_ROW):
        gate.refused()
    assert gate.claimable(0) == 0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "7", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan", "retry-after-ms": "inf"}, None),
        ({"retry-after": "Thu, 24 Apr 2025 00:01:00 GMT", "date": "Thu, 24 Apr 2025 00:00:00 GMT"}, 60),
        ({"retry-after": "Thu, 24 Apr 2025 00:01:00 GMT", "date": "yesterday"}, None),
    ],
)
def test_a_server_says_how_long_to_wait_in_seconds_or_by_its_own_clock(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert asked_to_wait(headers) == seconds
