"""Injects random faults into the cluster, one after another, drawn from one seed."""

from __future__ import annotations

import math
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from redis import Redis
from redis.exceptions import RedisError

from tests.chaos.cluster import LEASE_SECONDS, Cluster
from tests.chaos.load import Consumer

NOTICED_SECONDS = 6
"""A process that could not connect may end up to so long after the outage."""
NAMES = [f"{kind}-{number}" for kind in ("api", "worker", "steward") for number in range(2)]


@dataclass(frozen=True)
class Happened:
    """A fault: when (seconds since the epoch), what, and to which process, if to one."""

    at: float
    kind: str
    process: str = ""
    log: str = ""


@dataclass
class Chaos:
    """Injects `count` faults; some of them last, and the next may come meanwhile."""

    cluster: Cluster
    consumer: Consumer
    seed: int
    happened: list[Happened] = field(default_factory=list)
    _lasting: list[threading.Thread] = field(default_factory=list)

    def run(self, count: int, pause_seconds: float) -> None:
        """Draw and inject them, about `pause_seconds` apart; return when the last one is over."""
        draw = random.Random(self.seed)
        for _ in range(count):
            time.sleep(draw.uniform(0.5, 1.5) * pause_seconds)
            fault = draw.choices(list(FAULTS), weights=list(FAULTS.values()))[0]
            fault(self, draw)
        for thread in self._lasting:
            thread.join()

    def note(self, kind: str, process: str = "") -> None:
        """Write down that it happens now."""
        log = self.cluster.processes[process].log.stem if process else ""
        self.happened.append(Happened(time.time(), kind, process, log))

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """End a lasting fault."""
        thread = threading.Timer(seconds, action)
        self._lasting.append(thread)
        thread.start()


def kill(chaos: Chaos, draw: random.Random) -> None:
    """kill -9 of any process."""
    name = draw.choice(NAMES)
    chaos.note("kill -9", name)
    chaos.cluster.signal(name, signal.SIGKILL)


def freeze(chaos: Chaos, draw: random.Random) -> None:
    """SIGSTOP of any process for longer than the lease."""
    name, seconds = draw.choice(NAMES), LEASE_SECONDS * draw.uniform(1.3, 2.3)
    if name in chaos.cluster.frozen:
        name = NAMES[(NAMES.index(name) + 1) % len(NAMES)]
    chaos.note("freeze", name)
    chaos.cluster.signal(name, signal.SIGSTOP)
    chaos.later(seconds, lambda: chaos.cluster.signal(name, signal.SIGCONT))


def flush_redis(chaos: Chaos, _: random.Random) -> None:
    """Everything in Redis is gone."""
    chaos.note("redis flush")
    try:
        with Redis.from_url(chaos.cluster.valkey.url) as redis:
            redis.flushall()
    except RedisError:
        chaos.note("redis was away")


def reset_redis_clients(chaos: Chaos, draw: random.Random) -> None:
    """Every connection to Redis is reset three times within two seconds."""
    chaos.note("redis resets")
    for _ in range(3):
        try:
            with Redis.from_url(chaos.cluster.valkey.url) as redis:
                redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        except RedisError:
            chaos.note("redis was away")
        time.sleep(draw.uniform(0.05, 0.65))


def restart_redis(chaos: Chaos, draw: random.Random) -> None:
    """Redis is away for a while, and empty afterwards."""
    chaos.note("redis restart")
    chaos.cluster.valkey.stop()
    time.sleep(draw.uniform(0.2, 3))
    chaos.cluster.valkey.start()


def restart_postgres(chaos: Chaos, draw: random.Random) -> None:
    """PostgreSQL is away for a while; every other time it crashes and has to recover."""
    crash = draw.random() < 0.5
    chaos.note("postgres crash" if crash else "postgres restart")
    chaos.cluster.postgres_away_until = math.inf
    if crash:
        chaos.cluster.postgres.child.send(signal.SIGQUIT)
        chaos.cluster.postgres.child.wait(20)
    chaos.cluster.postgres.stop()
    time.sleep(draw.uniform(0.2, 1.5 * LEASE_SECONDS))
    chaos.cluster.postgres.start()
    chaos.cluster.postgres_away_until = time.monotonic() + NOTICED_SECONDS
    chaos.note("postgres is back")


def fail_engine(chaos: Chaos, draw: random.Random) -> None:
    """The engine fails every call that it is writing."""
    name = draw.choice(["worker-0", "worker-1"])
    chaos.note("engine failure", name)
    chaos.cluster.signal(name, signal.SIGWINCH)


def kill_engine(chaos: Chaos, draw: random.Random) -> None:
    """The engine dies, and its worker leaves."""
    name = draw.choice(["worker-0", "worker-1"])
    chaos.note("engine death", name)
    chaos.cluster.signal(name, signal.SIGUSR2)


def lame_consumer(chaos: Chaos, draw: random.Random) -> None:
    """The receiver of the webhooks refuses, or takes its time."""
    mode = draw.choice(["down", "slow"])
    chaos.note(f"receiver {mode}")
    chaos.consumer.mode = mode
    chaos.later(draw.uniform(1, 4), chaos.consumer.recover)


FAULTS: dict[Callable[[Chaos, random.Random], None], float] = {
    kill: 5,
    freeze: 4,
    flush_redis: 1.5,
    restart_redis: 1.5,
    restart_postgres: 1.5,
    fail_engine: 1.5,
    kill_engine: 1,
    lame_consumer: 2,
    reset_redis_clients: 2,
}
