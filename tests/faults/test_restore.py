"""A dump taken under load, restored into a new database: what docs/operations/backup.md says of each job."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import text
from sqlalchemy.engine import make_url

from admin.migrate import migrate
from base.states import ENDINGS
from deploy.local.postgres import programs
from tests.conftest import execute, renamed
from tests.stack.database import transaction
from tests.stack.jobs import Jobs
from tests.stack.processes import Process, Stack, until
from tests.stack.receiver import Receiver

HOOKS = {"TIL_WEBHOOK_SCHEDULE_SECONDS": "1,1,1,1,1,1,1,1,1,1"}
LEASE = {"TIL_LEASE_SECONDS": "5"}
FEW_SLOTS = {"TIL_SLOTS": "2", "TIL_OUTLINE_SECONDS": "0.7"} | LEASE
ENDS = {"succeed", "fail", "cancel", "expire"}
JOBS = "SELECT id::text, status FROM jobs"
DELIVERIES = (
    "SELECT job_id::text || ' ' || event, state || ' msg_' || replace(id::text, '-', '') FROM deliveries"
)
DEAD = "SELECT count(*)::text, '' FROM workers WHERE lease_expires_at < clock_timestamp()"


def rows(url: str, query: str) -> dict[str, str]:
    """Two columns of the answer, as a dictionary."""

    async def ask() -> dict[str, str]:
        async with transaction(url) as session:
            return {key: value for key, value in await session.execute(text(query))}

    return asyncio.run(ask())


def client_program(name: str, url: str, *arguments: str) -> None:
    """Run one of PostgreSQL's client programs against the server at this address."""
    server = ["--host", str(make_url(url).query["host"]), "--username", "til"]
    done = subprocess.run(
        [str(programs() / name), *server, *arguments], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@dataclass
class Load:
    """Submits jobs, one after the other, until it is stopped."""

    stack: Stack
    hook: str
    accepted: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._submit)
        self.thread.start()

    def _submit(self) -> None:
        try:
            with self.stack.client() as client:
                while not self.stopped.wait(0.08):
                    number = len(self.accepted)
                    hook = {"url": self.hook}
                    self.accepted.append(Jobs(client).submit(repo=f"ada/r{number}", webhook=hook))
        except Exception as error:  # noqa: BLE001 - told by the test
            self.failed.append(repr(error))

    def stop(self) -> None:
        """No more jobs."""
        self.stopped.set()
        self.thread.join(30)


@pytest.fixture
def restored_url(database_url: str) -> Iterator[str]:
    """The address of a database that does not exist yet, on the same server."""
    url = renamed(database_url, f"{make_url(database_url).database}_restored")
    yield url
    asyncio.run(execute(database_url, f"DROP DATABASE IF EXISTS {make_url(url).database} WITH (FORCE)"))


@dataclass
class Before:
    """What was known when all processes were killed. `sure`: accepted before the dump began; `shown`: the
    jobs as the api showed them last; `hooks`: the webhooks that had come."""

    sure: list[str]
    accepted: list[str]
    shown: dict[str, dict[str, Any]]
    hooks: set[str]


def hooks(receiver: Receiver, since: int = 0) -> list[str]:
    """`job event webhook-id` of each message, from the `since`th on."""
    pairs = zip(receiver.messages[since:], receiver.ids[since:], strict=True)
    return [f"{m['data']['id']} {m['type'].removeprefix('til.')} {i}" for m, i in pairs]


def work_dump_and_die(stack: Stack, receiver: Receiver, dump: Path) -> Before:
    """Jobs come and are run while the dump is taken, some time more, and then all processes are killed."""
    stack.api()
    processes = [stack.steward(**HOOKS, **LEASE), stack.worker(**FEW_SLOTS), stack.worker(**FEW_SLOTS)]
    load = Load(stack, receiver.url)
    try:
        until(lambda: len(receiver.ids) >= 6, 60)
        receiver.status = 503
        until(lambda: Counter(i for i in receiver.ids).most_common(1)[0][1] > 1, 60)
        sure = list(load.accepted)
        name = str(make_url(stack.database_url).database)
        client_program("pg_dump", stack.database_url, "--format=custom", f"--file={dump}", name)
        ended, receiver.status = len(receiver.messages), 204
        until(lambda: len(receiver.messages) > ended + 12, 60)
    finally:
        load.stop()
    assert not load.failed
    with stack.client() as client:
        shown = {job_id: Jobs(client).get(job_id) for job_id in load.accepted}
    kill(stack, processes)
    return Before(sure, load.accepted, shown, set(hooks(receiver)))


def kill(stack: Stack, processes: list[Process]) -> None:
    """As a power failure does."""
    for process in processes:
        process.stop(signal.SIGKILL)
    stack.stop()


def restore(dump: Path, url: str) -> None:
    """As docs/operations/backup.md says."""
    name = str(make_url(url).database)
    client_program("createdb", url, name)
    client_program("pg_restore", url, "--dbname", name, "--exit-on-error", str(dump))
    asyncio.run(migrate(url))


def test_a_dump_under_load_is_restored_and_every_job_in_it_ends_once(
    stack: Stack, receiver: Receiver, restored_url: str, tmp_path: Path
) -> None:
    before = work_dump_and_die(stack, receiver, tmp_path / "til.dump")
    restore(tmp_path / "til.dump", restored_url)
    jobs, deliveries = rows(restored_url, JOBS), rows(restored_url, DELIVERIES)
    assert set(before.sure) <= jobs.keys() < set(before.accepted), "the dump is of one moment of the load"
    assert Counter(jobs.values()).keys() == {"succeeded", "running", "queued"}
    assert {told.split()[0] for told in deliveries.values()} == {"delivered", "pending"}

    stack.database_url = restored_url
    with Redis.from_url(stack.redis_url) as redis:
        redis.flushall()
    came = len(receiver.messages)
    stack.api()
    stack.steward(**HOOKS, **LEASE)
    stack.worker(**LEASE)
    until(lambda: set(rows(restored_url, JOBS).values()) <= {str(ending) for ending in ENDINGS}, 90)
    until(lambda: all(told.startswith("delivered") for told in rows(restored_url, DELIVERIES).values()), 60)
    until(lambda: rows(restored_url, DEAD) == {"0": ""})
    with stack.client() as client:
        check_jobs(Jobs(client), jobs, before)
    check_hooks(receiver, came, deliveries, rows(restored_url, DELIVERIES), before)


def check_jobs(api: Jobs, dumped: dict[str, str], before: Before) -> None:
    """Every job of the dump has ended once, with its result; the other ids are unknown."""
    for job_id, status in dumped.items():
        job, history = api.get(job_id), api.history(job_id)
        assert job["status"] == "succeeded", job
        assert job["result"]["content"]
        assert [verb for verb in history if verb in ENDS] == ["succeed"]
        assert status != "running" or "rescue" in history
        if status == "succeeded":
            assert job["result"] == before.shown[job_id]["result"]
            assert job["finished_at"] == before.shown[job_id]["finished_at"]
    ended_later = [
        i for i, s in dumped.items() if s != "succeeded" and before.shown[i]["status"] == "succeeded"
    ]
    assert ended_later, "some ended after the dump, and ran again"
    for job_id in set(before.accepted) - dumped.keys():
        assert api.client.get(f"/v1/jobs/{job_id}").status_code == 404


def check_hooks(
    receiver: Receiver, came: int, dumped: dict[str, str], now: dict[str, str], before: Before
) -> None:
    """What the dump had as delivered is not sent again; all else is, under the id that its delivery has."""
    sent = set(hooks(receiver, came))
    due = {f"{event} {told.split()[1]}" for event, told in dumped.items() if told.startswith("pending")}
    expected = {
        f"{e} {told.split()[1]}" for e, told in now.items() if not dumped.get(e, "").startswith("delivered")
    }
    assert sent == expected
    assert due <= sent
    assert due & before.hooks, "some had come before, and came again under the same webhook-id"
    assert not receiver.refused
