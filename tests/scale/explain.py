"""What a statement reads: its plan, taken by running it once more on the same rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

LARGE = {"jobs", "job_events", "deliveries", "delivery_attempts", "webhook_endpoints"}
MOST_BLOCKS, MOST_BLOCKS_A_CHANGE = 3000, 80
"""Of 8 KiB: a page of a hundred jobs takes hundreds, and a changed row some in each of its indexes. Reading
a large table or index through takes thousands."""
MOST_FILTERED = 1000


@dataclass(frozen=True)
class Sent:
    """A statement, as the driver got it."""

    statement: str
    parameters: Any


@contextmanager
def recorded(engine: AsyncEngine) -> Iterator[list[Sent]]:
    """Every statement that is sent meanwhile."""
    sent: list[Sent] = []

    def before(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        sent.append(Sent(statement, parameters))

    event.listen(engine.sync_engine, "before_cursor_execute", before)
    yield sent
    event.remove(engine.sync_engine, "before_cursor_execute", before)


async def faults(
    engine: AsyncEngine, session: AsyncSession, work: Callable[[], Awaitable[object]]
) -> tuple[int, list[str]]:
    """Do the work and take it back. Do each statement that it sent again, and say what it reads too much.

    How many statements there were, and what is wrong with them.
    """
    sent, wrong = await sent_by(engine, session, work), []
    connection = await session.connection()
    for one in sent:
        wrong += [f"{fault}: {one.statement}" for fault in await _faults(connection, one)]
    return len(sent), wrong


async def sent_by(
    engine: AsyncEngine, session: AsyncSession, work: Callable[[], Awaitable[object]]
) -> list[Sent]:
    """The statements of this work, which is taken back."""
    savepoint = await session.begin_nested()
    with recorded(engine) as sent:
        await work()
        await session.flush()
    await savepoint.rollback()
    return [one for one in sent if not one.statement.startswith("SAVEPOINT")]


async def changes_what_it_chose(connection: AsyncConnection, one: Sent) -> bool:
    """Whether the rows that it locks are chosen in a CTE, once: a subquery may be done again for each row
    that another has changed meanwhile, and so choose others."""
    explained = f"EXPLAIN (FORMAT JSON) {one.statement}"
    plan = (await connection.exec_driver_sql(explained, one.parameters)).scalar_one()[0]["Plan"]
    return not any(_changes(node) for node in _nodes(plan)) or not _locks_outside_a_cte(plan)


def _locks_outside_a_cte(node: dict[str, Any]) -> bool:
    if node.get("Subplan Name", "").startswith("CTE "):
        return False
    return node["Node Type"] == "LockRows" or any(map(_locks_outside_a_cte, node.get("Plans", ())))


async def _faults(connection: AsyncConnection, one: Sent) -> list[str]:
    explained = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {one.statement}"
    plan = (await connection.exec_driver_sql(explained, one.parameters)).scalar_one()[0]["Plan"]
    found = [f"{node['Node Type']} of {node['Relation Name']}" for node in _nodes(plan) if _is_scan(node)]
    found += [
        f"{rows} rows read in vain" for node in _nodes(plan) if (rows := _filtered(node)) > MOST_FILTERED
    ]
    blocks = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    changed = sum(below["Actual Rows"] for node in _nodes(plan) if _changes(node) for below in node["Plans"])
    most = MOST_BLOCKS + MOST_BLOCKS_A_CHANGE * changed
    return found + ([f"{blocks} blocks for {changed} rows changed"] if blocks > most else [])


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


def _is_scan(node: dict[str, Any]) -> bool:
    return node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE


def _changes(node: dict[str, Any]) -> bool:
    return bool(node["Node Type"] == "ModifyTable")


def _filtered(node: dict[str, Any]) -> int:
    names = ("Rows Removed by Filter", "Rows Removed by Index Recheck", "Rows Removed by Join Filter")
    return int(sum(node.get(name, 0) for name in names) * node.get("Actual Loops", 1))
