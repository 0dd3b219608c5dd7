"""The waiting room: tenants take turns, groups are small, and nobody fills it alone. Pure."""

from __future__ import annotations

import uuid

import pytest

from api.waiting_room import GROUP_BYTES, GROUP_SIZE, Waiting, WaitingRoom
from jobs.submission import Submission
from tests.stack.processes import day
from til.request import TilRequest

A, B = uuid.uuid4(), uuid.uuid4()
MIB = 2**20


def one(tenant_id: uuid.UUID, size_bytes: int = 1000) -> Waiting:
    submission = Submission(tenant_id, TilRequest.model_validate(day()), "default")
    return Waiting(submission, size_bytes)


def tenants(group: list[Waiting]) -> list[uuid.UUID]:
    return [waiting.tenant_id for waiting in group]


def test_a_group_takes_from_each_tenant_in_turn() -> None:
    room = WaitingRoom(1000, MIB)
    for tenant_id in [A] * 5 + [B] * 2:
        assert room.add(one(tenant_id))
    assert tenants(room.next_batch()) == [A, B, A, B, A, A, A]
    assert not room


def test_who_comes_late_is_in_the_next_batch() -> None:
    room = WaitingRoom(1000, MIB)
    for tenant_id in [A] * 3 * GROUP_SIZE + [B]:
        room.add(one(tenant_id))
    assert B in tenants(room.next_batch())
    assert len(room.next_batch()) == GROUP_SIZE


def test_a_group_is_bounded_in_bytes_but_never_empty() -> None:
    room = WaitingRoom(1000, 1000 * MIB)
    for size in (2 * GROUP_BYTES, GROUP_BYTES - 1000, 500, 501, 5):
        room.add(one(A, size))
    sizes = [[waiting.size_bytes for waiting in room.next_batch()] for _ in range(3)]
    assert sizes == [[2 * GROUP_BYTES], [GROUP_BYTES - 1000, 500], [501, 5]]


@pytest.mark.parametrize(("most", "most_bytes"), [(8, 1000 * MIB), (1000, 8 * MIB)])
def test_a_tenant_gets_most_of_the_room_and_leaves_some_to_others(most: int, most_bytes: int) -> None:
    room = WaitingRoom(most, most_bytes)
    assert sum(room.add(one(A, MIB)) for _ in range(20)) == 6
    assert sum(room.add(one(B, MIB)) for _ in range(20)) == 2


def test_a_place_is_free_again_when_its_group_has_left() -> None:
    room = WaitingRoom(4, MIB)
    while room.add(one(A)):
        pass
    group = room.next_batch()
    assert not room.add(one(A))
    room.done(group)
    assert room.add(one(A))


def test_what_is_larger_than_the_room_may_wait_alone() -> None:
    room = WaitingRoom(1000, MIB)
    assert [room.add(one(A, 2 * MIB)) for _ in range(2)] == [True, False]
