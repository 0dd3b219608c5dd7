"""A claim takes jobs in order while the KV cache has room, and admission never exceeds the cache."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from base.database import Database
from base.tables import Job
from capacity.kv_budget import KvBudget, KvCache, job_cost
from jobs.claim import claim
from jobs.fence import Claim
from tests.jobs.conftest import NewWorker, Submit, job
from worker.slots.kv_admission import KvAdmission

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
    budget = KvBudget(CACHE, 70, empty=False)
    async with database.session() as session:
        taken = await claim(session, worker, 5, budget)
    assert [one.claim.job_id for one in taken] == ids[:2]
    assert (budget.blocks_left, budget.refused) == (10, True)
    assert [(await job(database, i)).status for i in ids[2:]] == ["queued"] * 3
    async with database.session() as session:
        rest = await claim(session, worker, 5, KvBudget(CACHE, 100, empty=False))
    assert [one.claim.job_id for one in rest] == ids[2:]
    assert rest[0].tokens == 800


async def test_an_empty_engine_takes_any_job(
    database: Database, submit: Submit, new_worker: NewWorker
) -> None:
    large = await submit()
    small = await submit()
    await resize(database, large, 10**6)
    worker = await new_worker()
    budget = KvBudget(CACHE, 100, empty=True, parts_at_once=4)
    async with database.session() as session:
        taken = await claim(session, worker, 2, budget)
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


def admission_of(cache: KvCache | None) -> KvAdmission:
    made = KvAdmission(parts_at_once=4)
    made.cache = cache
    return made


async def test_what_is_admitted_never_exceeds_the_cache_and_keeps_its_order() -> None:
    admission, order = admission_of(CACHE), list[int]()

    async def run(number: int, tokens: int) -> None:
        await admission.admit(claims[number], tokens, 1)
        order.append(number)

    claims = [a_claim() for _ in range(4)]
    for one in claims:
        admission.expect(one, 160)
    tasks = [asyncio.create_task(run(n, tokens)) for n, tokens in enumerate((800, 480, 480, 16))]
    await asyncio.sleep(0)
    assert order == [0, 1]
    budget = admission.budget()
    assert budget
    assert (budget.blocks_left, budget.empty) == (0, False)
    admission.free(claims[1])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert order == [0, 1, 2, 3]
    await asyncio.gather(*tasks)


async def test_a_cancelled_wait_lets_the_next_job_in() -> None:
    admission = admission_of(CACHE)
    first, second, third = (a_claim() for _ in range(3))
    await admission.admit(first, 800, 1)
    waiting = asyncio.create_task(admission.admit(second, 800, 2))
    behind = asyncio.create_task(admission.admit(third, 160, 1))
    await asyncio.sleep(0)
    assert not behind.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await asyncio.wait_for(behind, 20)
    admission.free(second)
    admission.free(third)
    budget = admission.budget()
    assert budget
    assert budget.blocks_left == 50


async def test_a_new_budget_is_reported_when_a_job_ends_or_is_smaller_than_estimated() -> None:
    admission, told = admission_of(CACHE), list[int]()
    admission.on_budget = lambda: told.append((admission.budget() or KvBudget(CACHE, 0, True)).blocks_left)
    one = a_claim()
    admission.expect(one, 800)
    await admission.admit(one, 160, 1)
    admission.free(one)
    assert told == [90, 100]


async def test_two_jobs_that_are_larger_than_expected_do_not_wait_for_each_other() -> None:
    admission = admission_of(CACHE)
    one, other = a_claim(), a_claim()
    admission.expect(one, 160)
    admission.expect(other, 160)
    await asyncio.wait_for(admission.admit(one, 800, 2), 20)
    waiting = asyncio.create_task(admission.admit(other, 800, 2))
    await asyncio.sleep(0)
    assert not waiting.done()
    admission.free(one)
    await asyncio.wait_for(waiting, 20)


async def test_without_a_bound_everything_is_admitted() -> None:
    admission = admission_of(None)
    admission.expect(a_claim(), 10**9)
    assert admission.budget() is None
    await asyncio.wait_for(admission.admit(a_claim(), 10**9, 4), 20)


@given(st.lists(st.tuples(st.integers(1, 2000), st.integers(1, 4)), min_size=1, max_size=12))
def test_any_jobs_are_all_admitted_in_the_end(jobs: list[tuple[int, int]]) -> None:
    async def play() -> None:
        admission, held, most = admission_of(CACHE), 0, 0

        async def run(tokens: int, calls: int) -> None:
            nonlocal held, most
            claim, blocks = a_claim(), calls * CACHE.cost(tokens)
            admission.expect(claim, tokens)
            await admission.admit(claim, tokens, calls)
            held += blocks
            most = max(most, held if held > blocks else 0)
            await asyncio.sleep(0)
            held -= blocks
            admission.free(claim)

        await asyncio.wait_for(asyncio.gather(*(run(*one) for one in jobs)), 20)
        assert most <= CACHE.blocks

    asyncio.run(play())


@pytest.mark.parametrize("tokens", [1, 15, 16, 17, 800])
def test_blocks_are_whole(tokens: int) -> None:
    assert CACHE.cost(tokens) == -(-tokens // 16)
