"""A claim takes jobs in order while the engine has room, and the ledger never admits more than fits."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from base.database import Database
from base.tables import Job
from capacity.kv_budget import KvCache, Room, job_cost
from jobs.claim import claim
from jobs.fence import Claim
from tests.jobs.conftest import NewWorker, Submit, job
from worker.slots.kv_admission import Ledger

CACHE = KvCache(blocks=100, block_tokens=16, longest_tokens=800)
"""100 blocks; the longest sequence takes 50."""


async def resize(database: Database, job_id: uuid.UUID, tokens: int) -> None:
    async with database.session() as session:
        await session.execute(update(Job).where(Job.id == job_id).values(tokens=tokens))


async def test_the_first_job_that_does_not_fit_ends_the_claim(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    ids = [await submit() for _ in range(5)]
    for job_id, tokens in zip(ids, (480, 480, 800, 160, 160), strict=True):
        await resize(database, job_id, tokens)
    worker = await new_worker()
    room = Room(CACHE, 70, empty=False)
    async with database.session() as session:
        taken = await claim(session, worker, 5, room)
    assert [one.claim.job_id for one in taken] == ids[:2]
    assert (room.blocks_left, room.refused) == (10, True)
    assert [(await job(database, i)).status for i in ids[2:]] == ["queued"] * 3
    async with database.session() as session:
        rest = await claim(session, worker, 5, Room(CACHE, 100, empty=False))
    assert [one.claim.job_id for one in rest] == ids[2:]
    assert rest[0].tokens == 800


async def test_an_empty_engine_takes_any_job(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    large = await submit()
    small = await submit()
    await resize(database, large, 10**6)
    worker = await new_worker()
    room = Room(CACHE, 100, empty=True, parts_at_once=4)
    async with database.session() as session:
        taken = await claim(session, worker, 2, room)
    assert [one.claim.job_id for one in taken] == [large]
    assert (await job(database, small)).status == "queued"


def test_a_sequence_costs_every_group_of_layers_its_blocks() -> None:
    gemma = KvCache(10_000, 16, 8192, full_groups=1, sliding_groups=5, window_tokens=2047)
    assert gemma.cost(160) == 6 * 10
    assert gemma.cost(8192) == 512 + 5 * 129
    assert gemma.cost(10**9) == gemma.cost(8192)
    assert job_cost(gemma, 8193, 4) == 2 * gemma.cost(8192)
    assert job_cost(gemma, 10**9, 4) == 4 * gemma.cost(8192)


def a_claim() -> Claim:
    return Claim(uuid.uuid4(), 1, uuid.uuid4())


def ledger_of(cache: KvCache | None) -> Ledger:
    made = Ledger(parts_at_once=4)
    made.cache = cache
    return made


async def test_what_is_admitted_never_exceeds_the_cache_and_keeps_its_order() -> None:
    ledger, order = ledger_of(CACHE), list[int]()

    async def run(number: int, tokens: int) -> None:
        await ledger.admit(claims[number], tokens, 1)
        order.append(number)

    claims = [a_claim() for _ in range(4)]
    for one in claims:
        ledger.expect(one, 160)
    tasks = [asyncio.create_task(run(n, tokens)) for n, tokens in enumerate((800, 480, 480, 16))]
    await asyncio.sleep(0)
    assert order == [0, 1]
    room = ledger.room()
    assert room
    assert (room.blocks_left, room.empty) == (0, False)
    ledger.free(claims[1])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert order == [0, 1, 2, 3]
    await asyncio.gather(*tasks)


async def test_one_that_gives_up_waiting_lets_the_next_in() -> None:
    ledger = ledger_of(CACHE)
    first, second, third = (a_claim() for _ in range(3))
    await ledger.admit(first, 800, 1)
    waiting = asyncio.create_task(ledger.admit(second, 800, 2))
    behind = asyncio.create_task(ledger.admit(third, 160, 1))
    await asyncio.sleep(0)
    assert not behind.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await asyncio.wait_for(behind, 1)
    ledger.free(second)
    ledger.free(third)
    room = ledger.room()
    assert room
    assert room.blocks_left == 50


async def test_room_is_told_of_when_a_job_ends_or_turns_out_smaller_than_estimated() -> None:
    ledger, told = ledger_of(CACHE), list[int]()
    ledger.on_room = lambda: told.append((ledger.room() or Room(CACHE, 0, True)).blocks_left)
    one = a_claim()
    ledger.expect(one, 800)
    await ledger.admit(one, 160, 1)
    ledger.free(one)
    assert told == [90, 100]


async def test_two_jobs_that_are_larger_than_expected_do_not_wait_for_each_other() -> None:
    ledger = ledger_of(CACHE)
    one, other = a_claim(), a_claim()
    ledger.expect(one, 160)
    ledger.expect(other, 160)
    await asyncio.wait_for(ledger.admit(one, 800, 2), 1)
    waiting = asyncio.create_task(ledger.admit(other, 800, 2))
    await asyncio.sleep(0)
    assert not waiting.done()
    ledger.free(one)
    await asyncio.wait_for(waiting, 1)


async def test_without_a_bound_everything_is_admitted() -> None:
    ledger = ledger_of(None)
    ledger.expect(a_claim(), 10**9)
    assert ledger.room() is None
    await asyncio.wait_for(ledger.admit(a_claim(), 10**9, 4), 1)


@given(st.lists(st.tuples(st.integers(1, 2000), st.integers(1, 4)), min_size=1, max_size=12))
def test_any_jobs_are_all_admitted_in_the_end(jobs: list[tuple[int, int]]) -> None:
    async def play() -> None:
        ledger, held, most = ledger_of(CACHE), 0, 0

        async def run(tokens: int, calls: int) -> None:
            nonlocal held, most
            claim, blocks = a_claim(), calls * CACHE.cost(tokens)
            ledger.expect(claim, tokens)
            await ledger.admit(claim, tokens, calls)
            held += blocks
            most = max(most, held if held > blocks else 0)
            await asyncio.sleep(0)
            held -= blocks
            ledger.free(claim)

        await asyncio.wait_for(asyncio.gather(*(run(*one) for one in jobs)), 5)
        assert most <= CACHE.blocks

    asyncio.run(play())


@pytest.mark.parametrize("tokens", [1, 15, 16, 17, 800])
def test_blocks_are_whole(tokens: int) -> None:
    assert CACHE.cost(tokens) == -(-tokens // 16)
