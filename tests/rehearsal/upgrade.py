"""A rolling upgrade under load: for a while half of the processes are old, and nothing may be lost."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import httpx

from admin.migrate import migrate
from tests.rehearsal.checks import lost, releases, run_by, still_open
from tests.rehearsal.load import Load, Phase
from tests.rehearsal.versions import running_from
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
LOAD = Phase(seconds=120, jobs_per_second=4)
JOBS_EACH_STAGE = 10
First = Literal["api", "worker"]
"""What is replaced first: `api` gives new apis with old workers, `worker` old apis with new workers."""


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
class Upgraded:
    """What was seen. `mixed`: jobs that one version took and the other wrote."""

    first: First
    jobs: int = 0
    mixed: int = 0
    retries: int = 0
    released: int = 0
    wrong: list[str] = field(default_factory=list)


class Upgrade:
    """Old processes under load, then the migration, then new processes one kind after the other."""

    def __init__(self, stack: OldStack, receiver: Receiver, first: First) -> None:
        self.seen = Upgraded(first)
        self._stack, self._receiver = stack, receiver
        self._api = stack.api(**SETTINGS, **stack.old)
        self._steward = self._start_steward(**stack.old)
        self._worker = stack.worker(**SETTINGS, **stack.old)
        self._load = Load([stack.api_url], stack.keys["key"], [LOAD], receiver.url)

    def run(self) -> Upgraded:
        """The whole upgrade; returns once every job has ended and been told."""
        try:
            self._stage()
            asyncio.run(migrate(self._stack.database_url))
            self._stage()
            first, then = self._replace_api, self._replace_worker
            if self.seen.first == "worker":
                first, then = then, first
            first()
            self.seen.mixed = self._stage()
            then()
            self._stage()
        finally:
            self._load.stop()
        until(lambda: not asyncio.run(still_open(self._stack.database_url)), 60, 0.3)
        self._check()
        return self.seen

    def _stage(self) -> int:
        """The next jobs are written by the worker of now, and read through the api of now; how many."""
        before = len(self._load.accepted)
        until(lambda: len(self._load.accepted) >= before + JOBS_EACH_STAGE, 60)
        ids = self._load.accepted[before : before + JOBS_EACH_STAGE]
        with self._stack.client() as client:
            for job_id in ids:
                self._read(client, job_id)
        writers = asyncio.run(run_by(self._stack.database_url))
        here = worker_id(self._worker)
        others = [one for one in ids if writers.get(one) != here]
        self.seen.wrong += [f"{one} was written by {writers.get(one)}" for one in others]
        return len(ids)

    def _read(self, client: httpx.Client, job_id: str) -> None:
        job = client.get(f"/v1/jobs/{job_id}", params={"wait": 30}).json()
        if job["status"] != "succeeded" or not job["result"]["content"]:
            self.seen.wrong.append(f"{job_id} is read as {job['status']}")

    def _replace_api(self) -> None:
        """A new api and a new steward; the balancer leaves the old api before it is told to end."""
        old = [self._api, self._steward]
        self._api = self._stack.api(**SETTINGS)
        self._load.urls = [self._stack.api_url]
        self._steward = self._start_steward()
        for process in old:
            self._end(process)

    def _replace_worker(self) -> None:
        """With no more GPUs than before: the old worker has ended before the new one starts."""
        self._end(self._worker)
        self._worker = self._stack.worker(**SETTINGS)

    def _end(self, process: Process) -> None:
        if code := process.stop():
            self.seen.wrong.append(f"{process.name} ended with {code}")

    def _start_steward(self, **more: str) -> Process:
        process = self._stack.start("steward", **SETTINGS, **more)
        until(lambda: "steward_started" in process.log.read_text())
        return process

    def _check(self) -> None:
        url, accepted = self._stack.database_url, self._load.accepted
        self.seen.jobs, self.seen.retries = len(accepted), self._load.retries
        self.seen.released = asyncio.run(releases(url))
        told = [message["data"]["id"] for message in self._receiver.messages]
        self.seen.wrong += asyncio.run(lost(url, accepted, told))
        self.seen.wrong += [f"no api took it: {one}" for one in self._load.gave_up]


def worker_id(process: Process) -> str:
    """The id under which a worker has registered last."""
    lines = [line for line in process.log.read_text().splitlines() if '"worker_registered"' in line]
    return str(json.loads(lines[-1])["worker_id"])
