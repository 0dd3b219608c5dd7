"""Servers that answer with errors: no process ends, no run is lost. A dead loop ends its process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from redis import Redis

from deploy.local.postgres import PostgresServer
from deploy.local.valkey import ValkeyServer
from tests.conftest import renamed
from tests.faults.conftest import ONE_RUN, ask
from tests.stack.jobs import SHORT, Jobs
from tests.stack.processes import Process, Stack, day, until

Refusal = tuple[list[str], list[str]]
READ_ONLY: Refusal = (
    ["ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"],
    [
        "SET default_transaction_read_only = off",
        "ALTER SYSTEM RESET default_transaction_read_only",
        "SELECT pg_reload_conf()",
    ],
)
NO_COLUMN: Refusal = (
    ["ALTER TABLE jobs RENAME COLUMN status TO status_"],
    ["ALTER TABLE jobs RENAME COLUMN status_ TO status"],
)
NO_ENTRY: Refusal = (
    [
        "ALTER DATABASE til ALLOW_CONNECTIONS false",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'til'",
    ],
    ["ALTER DATABASE til ALLOW_CONNECTIONS true"],
)
REFUSALS = {
    "read-only": ("til", READ_ONLY),
    "no column": ("til", NO_COLUMN),
    "no entry": ("postgres", NO_ENTRY),
}


def tell(server: PostgresServer, database: str, statements: list[str]) -> None:
    """Run the statements on one connection, outside any transaction."""

    async def run() -> None:
        url = renamed(server.url, database).replace("+asyncpg", "")
        connection = await asyncpg.connect(url)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    asyncio.run(run())


@pytest.mark.parametrize("kind", REFUSALS)
def test_errors_of_postgresql_are_treated_as_an_outage(
    own_stack: Stack, own_postgres: PostgresServer, kind: str
) -> None:
    database, (begin, heal) = REFUSALS[kind]
    own_stack.api()
    steward, worker = own_stack.steward(**SHORT), own_stack.worker(TIL_OUTLINE_SECONDS="4", **SHORT)
    with own_stack.client() as client:
        jobs = Jobs(client)
        ids = [jobs.submit() for _ in range(3)]
        jobs.until_running(*ids)
        tell(own_postgres, database, begin)
        until(lambda: client.post("/v1/til", json=day()).status_code == 503)
        until(lambda: "database_unavailable" in steward.log.read_text())
        until(lambda: "heartbeat_failed" in worker.log.read_text())
        answer = client.post("/v1/til", json=day())
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        tell(own_postgres, database, heal)
        ids.append(jobs.submit())
        for job_id in ids:
            assert jobs.get(job_id, wait=40)["status"] == "succeeded"
            assert jobs.history(job_id) == ONE_RUN
    assert (steward.popen.poll(), worker.popen.poll()) == (None, None)
    assert ask(own_stack, "SELECT sum(losses) + sum(failures) FROM jobs") == 0


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A Valkey of this test's own, whose answers it may spoil."""
    server = ValkeyServer(tmp_path / "valkey", tmp_path / "valkey.log")
    server.start()
    yield server
    server.stop()


REDIS: dict[str, tuple[Callable[[Redis], object], Callable[[Redis], object]]] = {
    "READONLY": (lambda r: r.replicaof("127.0.0.1", "1"), lambda r: r.replicaof("NO", "ONE")),
    "NOPERM": (
        lambda r: r.acl_setuser("default", enabled=True, commands=["-lpush", "-brpop", "-publish"]),
        lambda r: r.acl_setuser("default", enabled=True, categories=["+@all"]),
    ),
    "OOM": (
        lambda r: (r.config_set("maxmemory-policy", "noeviction"), r.config_set("maxmemory", "1")),
        lambda r: r.config_set("maxmemory", "256mb"),
    ),
}


@pytest.mark.parametrize("kind", REDIS)
def test_errors_of_redis_end_no_worker(
    database_url: str, own_valkey: ValkeyServer, tmp_path: Path, kind: str
) -> None:
    stack = Stack(database_url, own_valkey.url, tmp_path)
    spoil, heal = REDIS[kind]
    try:
        stack.api()
        processes = [stack.steward(**SHORT), stack.worker(**SHORT)]
        with Redis.from_url(own_valkey.url) as admin, stack.client() as client:
            jobs = Jobs(client)
            assert jobs.get(jobs.submit(), wait=20)["status"] == "succeeded"
            spoil(admin)
            until(lambda: "ring_failed" in processes[0].log.read_text() or not jobs.submit(), 30)
            heal(admin)
            assert jobs.get(jobs.submit(), wait=40)["status"] == "succeeded"
            until(lambda: ask(stack, "SELECT count(*) FROM jobs WHERE status <> 'succeeded'") == 0, 40)
        assert [process.popen.poll() for process in processes] == [None, None]
    finally:
        stack.stop()


@pytest.mark.parametrize(
    ("module", "loop", "code"),
    [
        ("api", "recheck_jobs", 70),
        ("worker", "live_text", 70),
        ("steward", "tick", 70),
        ("steward", "deliver", 70),
    ],
)
def test_a_process_that_has_lost_a_loop_ends_and_says_which(
    stack: Stack, module: str, loop: str, code: int
) -> None:
    process: Process = stack.start("tests.stack.loses_a_loop", MODULE=module, LOOP=loop, TIL_API_PORT="0")
    process.wait(40)
    assert process.popen.poll() == code, process.log.read_text()
    assert f'"loop": "{loop}"' in process.log.read_text()
