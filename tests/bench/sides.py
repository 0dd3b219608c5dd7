"""The sides of the engine bench, each with a vLLM of its own: driven directly, or through the whole queue."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from tests.bench.drawn import Book, Spent, body, length
from tests.stack.processes import Stack

AHEAD = 30
"""Jobs that wait in the queue, as long as there are any to submit."""


@dataclass(frozen=True)
class Bench:
    """What the sides have in common; `environment` holds the settings of both engines."""

    stack: Stack
    folder: Path
    seed: int
    in_flight: int
    environment: dict[str, str]

    def settings(self, book: Path) -> dict[str, str]:
        """The environment of a process that has an engine."""
        own = {"BENCH_SEED": str(self.seed), "BENCH_BOOK": str(book), "TIL_SLOTS": str(self.in_flight)}
        return {"TIL_ENGINE": "vllm", **self.environment, **own}


class Side(Protocol):
    """An engine that is loaded. `processes`: ids by name."""

    processes: dict[str, int]

    def round(self, numbers: Sequence[int]) -> list[Spent]:
        """Write the answers to these jobs."""

    def close(self) -> None:
        """Stop the engine."""


class Direct:
    """AsyncLLM in a process that does nothing else."""

    def __init__(self, bench: Bench) -> None:
        path = bench.folder / "direct.book"
        self._book, self._log = Book(path), bench.folder / "direct.log"
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "tests.bench.direct"],
                env=os.environ | bench.stack.environment(**bench.settings(path)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self.processes = {"direct": self._popen.pid}
        self._until("BENCH READY")

    def _until(self, word: str) -> None:
        assert self._popen.stdout
        for line in self._popen.stdout:
            if line.strip() == word:
                return
        raise AssertionError(self._log.read_text()[-3000:])

    def round(self, numbers: Sequence[int]) -> list[Spent]:
        """Write the answers, as many at a time as there are slots."""
        assert self._popen.stdin
        self._popen.stdin.write(json.dumps(list(numbers)) + "\n")
        self._popen.stdin.flush()
        self._until("BENCH DONE")
        return self._book.read(numbers)

    def close(self) -> None:
        """End of its input, then of the process; no child of it stays."""
        self._popen.communicate(timeout=60)
        try:
            os.killpg(self._popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


class Queue:
    """A worker behind the api, the steward, PostgreSQL and Valkey, which run already."""

    def __init__(self, bench: Bench) -> None:
        path = bench.folder / "queue.book"
        self._bench, self._book = bench, Book(path)
        self._worker = bench.stack.start_ready("tests.bench.worker", **bench.settings(path))
        self.processes = {"worker": self._worker.popen.pid}

    def round(self, numbers: Sequence[int]) -> list[Spent]:
        """Submit the jobs so that some always wait, and read each result when it is there."""
        jobs = asyncio.run(self._all(numbers))
        calls = self._book.read(numbers)
        for spent in calls:
            usage = jobs[spent.number]["usage"]
            assert (usage["prompt_tokens"], usage["completion_tokens"]) == (spent.prompt_tokens, spent.tokens)
        return calls

    async def _all(self, numbers: Sequence[int]) -> dict[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self._bench.stack.keys['key']}"}
        timeout = aiohttp.ClientTimeout(total=90)
        left, jobs = iter(numbers), dict[int, dict[str, Any]]()

        async def backend(http: aiohttp.ClientSession) -> None:
            for number in left:
                jobs[number] = await self._one(http, number)

        connector = aiohttp.TCPConnector(limit=0)
        url = self._bench.stack.api_url
        async with aiohttp.ClientSession(url, headers=headers, timeout=timeout, connector=connector) as http:
            await asyncio.gather(*(backend(http) for _ in range(self._bench.in_flight + AHEAD)))
        return jobs

    async def _one(self, http: aiohttp.ClientSession, number: int) -> dict[str, Any]:
        async with http.post("/v1/til", json=body(self._bench.seed, number)) as answer:
            assert answer.status == 202, await answer.text()
            job: dict[str, Any] = await answer.json()
        while not job["finished_at"]:
            async with http.get(f"/v1/jobs/{job['id']}", params={"wait": 60}) as answer:
                assert answer.status == 200, await answer.text()
                job = await answer.json()
        assert (job["status"], job["attempts"]) == ("succeeded", 1), job["error"]
        return job

    def close(self) -> None:
        """Drain the worker."""
        assert self._worker.stop() == 0, self._worker.log.read_text()[-3000:]


def check(seed: int, calls: Sequence[Spent]) -> None:
    """Every answer has exactly the length that was drawn for it."""
    assert [call.tokens for call in calls] == [length(seed, call.number) for call in calls]
