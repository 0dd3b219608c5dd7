"""`make bench`: the product beside other ways to do the same, in alternation on the same servers.

Environment: ROUNDS, SEED; SIDES, names divided by `|`; PICTURE=0: draw none.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import uvloop
from rich.console import Console

from tests.bench.path import rounds
from tests.bench.path.report import draw, table_of
from tests.bench.path.rounds import HUNDRED_MS, Requests, Round
from tests.bench.path.sides import SIDES, Ground, stopping
from tests.bench.servers import logs_of_a_failure, servers
from tests.monitoring.programs import ROOT
from tests.stack.database import plain_url

PICTURE = ROOT / "docs" / "images" / "bench.png"
JOBS, SLOW_JOBS, IDLE_JOBS, SUBMITS = 2000, 600, 200, 4000
console = Console(width=130)


def main() -> int:
    """Run it with the environment's values."""
    count, seed = int(os.environ.get("ROUNDS") or 3), int(os.environ.get("SEED") or 1)
    names = (os.environ.get("SIDES") or "|".join(SIDES)).split("|")
    done: dict[str, list[Round]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="til-bench-", ignore_cleanup_errors=True) as folder:
        for side, found in _rounds(Path(folder), names, count, seed):
            done[side].append(found)
            console.print(side, found)
    console.print(table_of(done))
    if os.environ.get("PICTURE") != "0":
        draw(done, PICTURE)
    return 0


def _rounds(folder: Path, names: list[str], count: int, seed: int) -> Iterator[tuple[str, Round]]:
    """Who begins changes each time, for a machine may get slower."""
    with servers(folder) as (stack, processes), logs_of_a_failure(folder):
        ground, requests = Ground(stack, folder), Requests(seed)
        for number in range(count):
            for side in names if number % 2 == 0 else names[::-1]:
                yield side, uvloop.run(_round(ground, side, requests, processes))


async def _round(ground: Ground, name: str, requests: Requests, servers: dict[str, int]) -> Round:
    """Submits without a worker; then jobs on engines of 0 and of 100 ms."""
    database = await asyncpg.connect(plain_url(ground.stack.database_url))
    try:
        with stopping(await asyncio.to_thread(SIDES[name], ground, None)) as side:
            found = Round(await rounds.submits(side, requests, SUBMITS))
            if side.empty:
                await database.execute(side.empty)
        if not side.unfinished:
            return found
        with stopping(await asyncio.to_thread(SIDES[name], ground, 0.0)) as side:
            await rounds.jobs(side, requests, JOBS // 10, database, servers)
            no_time = await rounds.jobs(side, requests, JOBS, database, servers)
            found = replace(found, no_time=no_time, idle_ms=await rounds.idle(side, requests, IDLE_JOBS))
        with stopping(await asyncio.to_thread(SIDES[name], ground, HUNDRED_MS)) as side:
            await rounds.jobs(side, requests, 2 * 32, database, servers)
            slow = await rounds.jobs(side, requests, SLOW_JOBS, database, servers)
            return replace(found, hundred_ms=slow)
    finally:
        await database.close()


if __name__ == "__main__":
    sys.exit(main())
