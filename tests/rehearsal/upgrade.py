"""A rolling upgrade under load: for a while each process is there old and new, and nothing may be lost."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import httpx

from admin.migrate import migrate
from tests.rehearsal.checks import Outcome, check, run_by
from tests.rehearsal.load import Load, Phase
from tests.rehearsal.versions import running_from
from tests.stack.database import still_open
from tests.stack.processes import Process, Stack, until
from tests.stack.receiver import Receiver
from tests.stack.sealing import SECRET_KEYS

SETTINGS = {
    "TIL_SLOTS": "4",
    "TIL_SLOTS_PER_WORKER": "4",
    "TIL_OUTLINE_SECONDS": "0.5",
    "TIL_LEASE_SECONDS": "5",
    "TIL_DRAIN_SECONDS": "8",
}
LOAD = Phase(seconds=240, jobs_per_second=4)
EACH = 5
"""So many jobs at least each api takes for each worker, of the same version or the other."""
PAIRS = [f"{api} api, {worker} worker" for api, worker in product(("old", "new"), repeat=2)]


class OldStack(Stack):
    """A stack whose tables and keys were made by the old version, which is in a folder."""

    def __init__(self, database_url: str, redis_url: str, folder: Path, old: Path) -> None:
        self.old = running_from(old)
        self.database_url = database_url
        self._admin("migrate")
        super().__init__(database_url, redis_url, folder)

    async def _bootstrap(self, tenant: str) -> dict[str, str]:
        keys: dict[str, str] = json.loads(self._admin("bootstrap", "--tenant", tenant, "--json"))
        return keys

    def _admin(self, *arguments: str) -> str:
        """Run a command of the old `til-server`; what it prints."""
        variables = {"DATABASE_URL": self.database_url, "TIL_SECRET_KEYS": SECRET_KEYS} | self.old
        command = [sys.executable, "-m", "admin", *arguments]
        done = subprocess.run(
            command, env=os.environ | variables, check=False, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@dataclass
class Upgraded(Outcome):
    """What was seen. `pairs`: jobs by who took and who wrote them, while both versions ran."""

    pairs: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Half:
    """The processes of one version, and where its api is."""

    version: str
    api: Process
    steward: Process
    worker: Process
    url: str


class Upgrade:
    """An old half under load, then the migration, then a new half beside it, then the new one alone."""

    def __init__(self, stack: OldStack, receiver: Receiver) -> None:
        self.seen = Upgraded()
        self._stack, self._receiver = stack, receiver
        self._old = self._start("old", **stack.old)
        self._load = Load([self._old.url], stack.keys["key"], [LOAD], receiver.url)

    def run(self) -> Upgraded:
        """The whole upgrade; returns once every job has ended and been told."""
        try:
            self._see_jobs([self._old], [self._old])
            asyncio.run(migrate(self._stack.database_url))
            self._see_jobs([self._old], [self._old])
            new = self._start("new")
            self.seen.pairs = self._see_jobs([self._old, new], [self._old, new])
            self._end(self._old, new)
            self._see_jobs([new], [new])
        finally:
            self._load.stop()
        url = self._stack.database_url
        until(lambda: not asyncio.run(still_open(url)), 60, 0.3)
        asyncio.run(check(self.seen, self._load, self._receiver, url))
        return self.seen

    def _start(self, version: str, **more: str) -> Half:
        api = self._stack.api(**SETTINGS, **more)
        url = self._stack.api_url
        steward = self._stack.start("steward", **SETTINGS, **more)
        worker = self._stack.worker(**SETTINGS, **more)
        until(lambda: "steward_started" in steward.log.read_text())
        return Half(version, api, steward, worker, url)

    def _see_jobs(self, apis: list[Half], workers: list[Half]) -> Counter[str]:
        """Send the load to these apis until each has taken enough jobs for each of these workers.

        What one api took is read through the other, where there are two. Returns jobs by who took and wrote
        them.
        """
        before = len(self._load.accepted)
        self._load.urls = [half.url for half in apis]
        expected = {f"{one.version} api, {other.version} worker" for one in apis for other in workers}
        until(lambda: all(self._pairs(before, apis, workers)[pair] >= EACH for pair in expected), 90, 0.3)
        for job_id, url in list(self._load.accepted.items())[before:]:
            self._read(job_id, next((half.url for half in apis if half.url != url), url))
        return self._pairs(before, apis, workers)

    def _pairs(self, before: int, apis: list[Half], workers: list[Half]) -> Counter[str]:
        """The jobs that succeeded, but for the first so many, by who took and who wrote them."""
        took = {half.url: half.version for half in apis}
        wrote = {worker_id(half.worker): half.version for half in workers}
        writers = asyncio.run(run_by(self._stack.database_url))
        later = [one for one in list(self._load.accepted.items())[before:] if one[0] in writers]
        return Counter(
            f"{took.get(url, url)} api, {wrote.get(writers[job_id], writers[job_id])} worker"
            for job_id, url in later
        )

    def _read(self, job_id: str, url: str) -> None:
        headers = {"Authorization": f"Bearer {self._stack.keys['key']}"}
        answer = httpx.get(f"{url}/v1/jobs/{job_id}", params={"wait": 30}, headers=headers, timeout=60)
        job = answer.json()
        if job.get("status") != "succeeded" or not job["result"]["content"]:
            self.seen.wrong.append(f"{job_id} is read as {job}")

    def _end(self, old: Half, new: Half) -> None:
        """The balancer leaves the old api before it is told to end; the others are told at once."""
        self._load.urls = [new.url]
        # uvicorn ends by the signal itself, once it has answered all.
        for process, expected in ((old.api, -signal.SIGTERM), (old.steward, 0), (old.worker, 0)):
            if (code := process.stop()) != expected:
                self.seen.wrong.append(f"{process.name} ended with {code}")


def worker_id(process: Process) -> str:
    """The id under which a worker has registered last."""
    lines = [line for line in process.log.read_text().splitlines() if '"worker_registered"' in line]
    return str(json.loads(lines[-1])["worker_id"])
