"""`make chaos JOBS=10000 FAULTS=50 SEED=1`: exit code 1 if a promise was broken."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos.checks import Found, check
from tests.chaos.cluster import Cluster
from tests.chaos.faults import Chaos
from tests.chaos.load import Backends, Consumer
from tests.chaos.record import Recorder
from tests.stack.database import still_open, transaction
from tests.stack.servers import durable_servers

PAUSE_SECONDS = 4.0
PATIENCE_SECONDS = 240
SMALL, SMALL_SECONDS = (600, 8), 180
"""The number of jobs up to which a run is part of `make test`, and how long such a run takes."""
console = Console(width=120)


def main() -> int:
    """Run it with the environment's JOBS, FAULTS and SEED."""
    jobs, faults = int(os.environ.get("JOBS") or 600), int(os.environ.get("FAULTS") or 8)
    seed = int(os.environ.get("SEED") or secrets.randbelow(10**6))
    console.print(f"chaos: {jobs} jobs, {faults} faults, SEED={seed}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="til-chaos-", ignore_cleanup_errors=True) as folder:
        with durable_servers(Path(folder)) as (postgres, valkey):
            cluster = Cluster(postgres, valkey, Path(folder))
            try:
                found, happened = storm(cluster, jobs, faults, seed)
            finally:
                cluster.stop()
        if found.violations and (kept := os.environ.get("KEEP_LOGS")):
            os.system(f"mkdir -p {kept} && cp {folder}/*.log {kept}")
    seconds = time.monotonic() - began
    if jobs <= SMALL[0] and faults <= SMALL[1]:
        found.check(
            f"longer than {SMALL_SECONDS} s", [seconds] if seconds > SMALL_SECONDS else [], f"{seconds:.0f} s"
        )
    show(found, happened, seed, seconds)
    return 1 if found.violations else 0


def storm(cluster: Cluster, jobs: int, faults: int, seed: int) -> tuple[Found, Counter[str]]:
    """Start, load, break, wait for the end, check."""
    cluster.start()
    consumer = Consumer(cluster.stack.keys["webhook_secret"])
    recorder = Recorder(cluster)
    backends = Backends(cluster, consumer, jobs, faults * PAUSE_SECONDS, seed)
    chaos = Chaos(cluster, consumer, seed)
    chaos.run(faults, PAUSE_SECONDS)
    backends.wait()
    waited = until_all_ended(cluster)
    recorder.close()
    found = asyncio.run(checked(cluster, backends, consumer, chaos, recorder))
    consumer.close()
    found.rows.append(("all ended and told after", f"{waited:.0f} s"))
    found.check("processes that ended by themselves", cluster.unexpected, "none")
    return found, Counter(one.kind for one in chaos.happened)


def until_all_ended(cluster: Cluster) -> float:
    """Wait until no job and no delivery is open, or for `PATIENCE_SECONDS`; how long it took."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_SECONDS and asyncio.run(still_open(cluster.postgres.url)):
        time.sleep(0.5)
    return time.monotonic() - began


async def checked(
    cluster: Cluster, backends: Backends, consumer: Consumer, chaos: Chaos, recorder: Recorder
) -> Found:
    """The checks, on the database as it is now."""
    async with transaction(cluster.postgres.url) as session:
        return await check(session, backends, consumer, chaos.happened, recorder, cluster.workers())


def show(found: Found, happened: Counter[str], seed: int, seconds: float) -> None:
    """The table."""
    table = Table(title=f"chaos, seed {seed}, {seconds:.0f} s", title_justify="left", show_header=False)
    table.add_row("faults", ", ".join(f"{n} {kind}" for kind, n in happened.most_common()))
    for name, value in found.rows:
        table.add_row(name, value)
    console.print(table)
    for violation in found.violations:
        console.print(f"[red]{violation}[/red]")


if __name__ == "__main__":
    sys.exit(main())
