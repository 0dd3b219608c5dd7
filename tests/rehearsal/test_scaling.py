"""The loop of scaling, small: from no worker to several and back, without losing a job."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import execute
from tests.rehearsal.load import Phase
from tests.rehearsal.scaling import Rehearsal
from tests.stack.processes import Stack
from tests.stack.receiver import Receiver

BURST = [Phase(seconds=6, jobs_per_second=10)]
A_MINUTE_AGO = "UPDATE figures SET scaled_at = scaled_at - interval '61 seconds'"
"""As if nobody had submitted anything since: then no more arrivals are expected."""


@pytest.fixture
def rehearsal(stack: Stack, receiver: Receiver, tmp_path: Path) -> Iterator[Rehearsal]:
    made = Rehearsal(stack, receiver, tmp_path / "prometheus")
    yield made
    made.close()


def test_workers_follow_the_load_from_none_and_back_and_no_job_is_lost(
    rehearsal: Rehearsal, stack: Stack
) -> None:
    seen = rehearsal.run(BURST, 120, lambda: asyncio.run(execute(stack.database_url, A_MINUTE_AGO)))
    assert seen.wrong == []
    assert seen.jobs > 30
    replicas = [count for _, count in seen.series["replicas"]]
    target = rehearsal.plan.target
    assert (replicas[0], replicas[-1]) == (0, 0)
    assert 1 < max(replicas) <= target.most
    assert seen.peak("queued") > 4
    assert seen.peak("desired") >= seen.peak("replicas") >= seen.peak("live") > 1
    assert seen.series["desired"][-1][1] == 0
    assert seen.started == seen.drained >= max(replicas)
