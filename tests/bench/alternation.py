"""Rounds of two sides, one after the other on the same machine, and what each round took."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.bench.cpu import cpu_seconds
from tests.bench.drawn import SILENT, Speed, length, speed
from tests.bench.sides import Bench, Direct, Queue, Side

WARM_UP = 5_000_000
"""The first number of the jobs that are written before any is counted."""


@dataclass(frozen=True)
class Round:
    """What one side did. `cpu`: milliseconds a 1,000 tokens, by process; `idle`: CPU seconds a second of the
    side that did nothing meanwhile."""

    side: str
    tokens: int
    speed: Speed
    cpu: dict[str, float]
    idle: float


@dataclass
class Alternation:
    """`servers`: the processes that both sides' rounds find running, by name."""

    bench: Bench
    jobs: int
    fresh: bool
    servers: Mapping[str, int]
    _open: dict[str, Side] = field(default_factory=dict)
    _warm_ups: int = 0
    _prompts: dict[int, int] = field(default_factory=dict)

    def run(self, pair: tuple[str, str], rounds: int) -> Iterator[Round]:
        """All rounds. Who begins changes each time, for a machine may get slower."""
        try:
            for number in range(rounds):
                for name in pair if number % 2 == 0 else pair[::-1]:
                    if self.fresh:
                        self.close()
                    for other in (name,) if self.fresh else pair:
                        self._side(other)
                    yield self._round(name, number, silent=name == "silent" or pair == ("direct", "silent"))
        finally:
            self.close()

    def close(self) -> None:
        """Stop the engines."""
        for side in self._open.values():
            side.close()
        self._open = {}

    def _side(self, name: str) -> Side:
        kind = "direct" if name == "direct" else "queue"
        if kind not in self._open:
            self._open[kind] = Direct(self.bench) if kind == "direct" else Queue(self.bench)
            first = WARM_UP + self._warm_ups * self.bench.in_flight
            self._warm_ups += 1
            self._open[kind].round(range(first, first + self.bench.in_flight))
        return self._open[kind]

    def _round(self, name: str, number: int, silent: bool) -> Round:
        first = number * self.jobs + (SILENT if silent else 0)
        side, processes = self._side(name), self._processes()
        before, began = cpu_seconds(processes), time.monotonic()
        calls = side.round(range(first, first + self.jobs))
        took, after = time.monotonic() - began, cpu_seconds(processes)
        for call in calls:
            assert call.tokens == length(self.bench.seed, call.number)
            assert call.prompt_tokens == self._prompts.setdefault(call.number, call.prompt_tokens)
        cpu = {process: spent - before.get(process, 0.0) for process, spent in after.items()}
        idle = {process for process in cpu if process.startswith("direct") != (name == "direct")}
        tokens = sum(call.tokens for call in calls)
        return Round(
            name,
            tokens,
            speed(calls, self.bench.in_flight),
            {process: 1e6 * spent / tokens for process, spent in cpu.items() if process not in idle},
            sum(cpu[process] for process in idle) / took,
        )

    def _processes(self) -> dict[str, int]:
        own = {name: pid for side in self._open.values() for name, pid in side.processes.items()}
        return {**self.servers, **own}
