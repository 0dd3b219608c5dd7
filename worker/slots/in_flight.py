"""The claims that this worker holds, and their runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from jobs.fence import Claim, Claimed
from worker.engines.backpressure import Backpressure
from worker.slots.kv_admission import KvAdmission
from worker.writing.usage import RunUsage

Reason = Literal["cancelled", "lost", "drained", "overdue"]


@dataclass(eq=False)
class Run:
    """One run of a claimed job. `usage`: of its calls so far; `began`: of `time.monotonic`.

    `stopping` is set when the run is to be stopped, for the reason `stopped`.
    """

    claimed: Claimed
    stopped: Reason | None = None
    usage: RunUsage = field(default_factory=RunUsage)
    began: float = field(default_factory=time.monotonic)
    stopping: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def patience_seconds(self) -> float:
        """Seconds until the job's queue deadline, up to which it may be postponed."""
        return self.claimed.patience_seconds - (time.monotonic() - self.began)

    def stop(self, reason: Reason) -> None:
        """Ask for the run to be stopped. The first reason counts, except that `lost` replaces any other."""
        if self.stopped is None or reason == "lost":
            self.stopped = reason
        self.stopping.set()


class InFlight:
    """Holds each claim until its outcome is written or the claim is lost.

    `lock`: held by a claim and by a heartbeat, so that a heartbeat never misses a claim that has just been
    committed. `slots`: jobs that may be in the engine at once. `gate`: where calls and claims wait for an
    engine that takes no more.
    """

    def __init__(self, admission: KvAdmission, slots: int, gate: Backpressure | None = None) -> None:
        self.admission = admission
        self._slots = slots
        self.gate = gate or Backpressure()
        self.lock = asyncio.Lock()
        self._runs: dict[Claim, Run] = {}
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, claimed: Claimed) -> Run:
        """Hold a new claim."""
        run = Run(claimed)
        self._runs[claimed.claim] = run
        self.admission.expect(claimed.claim, claimed.tokens)
        self._empty.clear()
        return run

    def remove(self, run: Run) -> None:
        """Hold this run's claim no more."""
        self._runs.pop(run.claimed.claim, None)
        self.admission.free(run.claimed.claim)
        if not self._runs:
            self._empty.set()

    def claimable(self) -> int:
        """How many more jobs may be claimed now: the free slots, or fewer if the engine takes fewer."""
        used = len(self.admission)
        free, allowed = max(0, self._slots - used), self.gate.claimable(used)
        return free if allowed is None else min(free, allowed)

    def claims(self) -> list[Claim]:
        """Every claim held now."""
        return list(self._runs)

    def runs(self) -> list[Run]:
        """Every run held now."""
        return list(self._runs.values())

    def stop(self, claims: Iterable[Claim], reason: Reason) -> None:
        """Stop the runs of these claims."""
        for claim in claims:
            if claim in self._runs:
                self._runs[claim].stop(reason)

    async def empty(self) -> None:
        """Return once nothing is held."""
        await self._empty.wait()
