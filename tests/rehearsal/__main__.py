"""`make rehearse`: exit code 1 if a job was lost or the workers did not follow."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from deploy.local.postgres import PostgresServer
from deploy.local.valkey import ValkeyServer
from tests.conftest import execute, renamed
from tests.monitoring.programs import ROOT, find
from tests.rehearsal.load import Phase
from tests.rehearsal.plot import draw
from tests.rehearsal.scaling import Rehearsal, Rehearsed
from tests.rehearsal.upgrade import OldStack, Upgrade, Upgraded
from tests.rehearsal.versions import ABSENT, previous_commit, unpack
from tests.stack.processes import Stack
from tests.stack.receiver import Receiver
from tests.stack.servers import durable_servers

PICTURE = ROOT / "docs" / "images" / "rehearsal.png"
LOAD = [Phase(10, 0), Phase(20, 1), Phase(50, 8), Phase(50, 1)]
"""Nobody, a few, many, a few, nobody."""
PATIENCE_SECONDS = 480
console = Console(width=110)


def main() -> int:
    """Rehearse scaling, then an upgrade."""
    if not find("prometheus"):
        console.print("Prometheus is missing: Debian has it as `prometheus`; elsewhere put it on PATH.")
        return 1
    with tempfile.TemporaryDirectory(prefix="til-rehearsal-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with durable_servers(folder) as (postgres, valkey):
            seen = scaling(postgres, valkey, folder)
            draw(seen, PICTURE)
            show_scaling(seen)
            upgraded = upgrade(postgres, valkey, folder)
    wrong = [*seen.wrong, *(upgraded.wrong if upgraded else ())]
    for one in wrong:
        console.print(f"[red]{one}[/red]")
    return 1 if wrong else 0


def scaling(postgres: PostgresServer, valkey: ValkeyServer, folder: Path) -> Rehearsed:
    """From nobody to many workers and back, in real time."""
    console.print(f"scaling: about {sum(phase.seconds for phase in LOAD) + 110:.0f} s")
    stack = Stack(postgres.url, valkey.url, folder)
    receiver = Receiver(stack.keys["webhook_secret"])
    rehearsal: Rehearsal | None = None
    try:
        rehearsal = Rehearsal(stack, receiver, folder / "prometheus")
        seen = rehearsal.run(LOAD, PATIENCE_SECONDS, lambda: None)
    finally:
        if rehearsal:
            rehearsal.close()
        stack.stop()
        receiver.close()
    if not 1 < seen.peak("live") <= rehearsal.plan.target.most:
        seen.wrong.append(f"{seen.peak('live'):.0f} workers were live at most")
    return seen


def upgrade(postgres: PostgresServer, valkey: ValkeyServer, folder: Path) -> Upgraded | None:
    """On a database that the previous version has made; None where this clone does not have that version."""
    commit = previous_commit()
    if not commit:
        console.print(f"[yellow]No upgrade was rehearsed: {ABSENT}.[/yellow]")
        return None
    began = time.monotonic()
    asyncio.run(execute(postgres.url, "CREATE DATABASE upgraded"))
    url = renamed(postgres.url, "upgraded")
    stack = OldStack(url, valkey.url, folder, unpack(commit, folder / "old"))
    receiver = Receiver(stack.keys["webhook_secret"])
    try:
        seen = Upgrade(stack, receiver).run()
    finally:
        stack.stop()
        receiver.close()
    show_upgrade(seen, commit, time.monotonic() - began)
    return seen


def show_scaling(seen: Rehearsed) -> None:
    """What was seen, as a table."""
    table = Table(title=f"scaling, {seen.seconds:.0f} s", title_justify="left", show_header=False)
    table.add_row("jobs", f"{seen.jobs}, {len(seen.wrong)} wrong, {seen.retries} submits repeated")
    table.add_row("waiting at most", f"{seen.peak('queued'):.0f}")
    table.add_row("til_workers_desired at most", f"{seen.peak('desired'):.0f}")
    table.add_row("live workers at most", f"{seen.peak('live'):.0f}")
    table.add_row("workers started / drained", f"{seen.started} / {seen.drained}")
    table.add_row("jobs given back by a drain", str(seen.released))
    table.add_row("polls without an answer", str(seen.unanswered))
    table.add_row("picture", str(PICTURE.relative_to(ROOT)))
    console.print(table)


def show_upgrade(seen: Upgraded, commit: str, seconds: float) -> None:
    """What was seen, as a table."""
    title = f"upgrade from {commit[:7]}, {seconds:.0f} s"
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_row("jobs", f"{seen.jobs}, {len(seen.wrong)} wrong, {seen.retries} submits repeated")
    for pair, jobs in sorted(seen.pairs.items()):
        table.add_row(pair, str(jobs))
    table.add_row("jobs given back by a drain", str(seen.released))
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
