"""The queue of submissions: tenants take turns, batches are bounded, no tenant fills it alone. Pure."""

from __future__ import annotations

import uuid

import pytest

from api.submit_queue import BATCH_BYTES, BATCH_SIZE, QueuedSubmission, SubmitQueue
from jobs.submission import Submission
from tests.stack.processes import day
from til.request import TilRequest

A, B = uuid.uuid4(), uuid.uuid4()
MIB = 2**20


def one(tenant_id: uuid.UUID, size_bytes: int = 1000) -> QueuedSubmission:
    submission = Submission(tenant_id, TilRequest.model_validate(day()), "default")
    return QueuedSubmission(submission, size_bytes)


def tenants(batch: list[QueuedSubmission]) -> list[uuid.UUID]:
    return [queued.tenant_id for queued in batch]


def test_a_batch_takes_from_each_tenant_in_turn() -> None:
    queue = SubmitQueue(1000, MIB)
    for tenant_id in [A] * 5 + [B] * 2:
        assert queue.add(one(tenant_id))
    assert tenants(queue.next_batch()) == [A, B, A, B, A, A, A]
    assert not queue


def test_a_tenant_that_comes_late_is_in_the_next_batch() -> None:
    queue = SubmitQueue(1000, MIB)
    for tenant_id in [A] * 3 * BATCH_SIZE + [B]:
        queue.add(one(tenant_id))
    assert B in tenants(queue.next_batch())
    assert len(queue.next_batch()) == BATCH_SIZE


def test_a_batch_is_bounded_in_bytes_but_never_empty() -> None:
    queue = SubmitQueue(1000, 1000 * MIB)
    for size in (2 * BATCH_BYTES, BATCH_BYTES - 1000, 500, 501, 5):
        queue.add(one(A, size))
    sizes = [[queued.size_bytes for queued in queue.next_batch()] for _ in range(3)]
    assert sizes == [[2 * BATCH_BYTES], [BATCH_BYTES - 1000, 500], [501, 5]]


@pytest.mark.parametrize(("most", "most_bytes"), [(8, 1000 * MIB), (1000, 8 * MIB)])
def test_a_tenant_may_use_most_of_the_queue_but_not_all(most: int, most_bytes: int) -> None:
    queue = SubmitQueue(most, most_bytes)
    assert sum(queue.add(one(A, MIB)) for _ in range(20)) == 6
    assert sum(queue.add(one(B, MIB)) for _ in range(20)) == 2


def test_a_submission_counts_until_its_batch_is_done() -> None:
    queue = SubmitQueue(4, MIB)
    while queue.add(one(A)):
        pass
    batch = queue.next_batch()
    assert not queue.add(one(A))
    queue.done(batch)
    assert queue.add(one(A))


def test_one_submission_over_the_limit_of_bytes_may_wait_alone() -> None:
    queue = SubmitQueue(1000, MIB)
    assert [queue.add(one(A, 2 * MIB)) for _ in range(2)] == [True, False]
