"""What must hold after the chaos: every promise is checked on every job."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from base.states import ENDINGS
from tests.chaos.cluster import LEASE_SECONDS
from tests.chaos.faults import Happened
from tests.chaos.load import Backends, Consumer
from tests.chaos.record import Recorder

ENDS = {"succeed", "fail", "cancel", "expire"}
CLOSES = ENDS | {"retry", "release", "rescue"}
IDLE_SECONDS = LEASE_SECONDS + 5
JOBS = text("SELECT id::text AS id, status, losses, failures, error->>'code' AS code FROM jobs")
EVENTS = text("""
SELECT job_id::text AS job_id, extract(epoch FROM at)::float8 AS at, verb, claim_no, worker_id::text AS worker
FROM job_events ORDER BY job_id, id
""")
DELIVERIES = text("SELECT state, count(*) AS n FROM deliveries GROUP BY state")
LOSSES = {"kill -9", "freeze", "engine death"}


@dataclass
class Found:
    """The rows of the table, and what was violated."""

    rows: list[tuple[str, str]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def check(self, name: str, wrong: Sequence[object], good: str) -> None:
        """Add a row: `good`, or how many are wrong, with the first few of them."""
        if wrong:
            self.violations.append(f"{name}: {len(wrong)}, e.g. {', '.join(map(str, wrong[:3]))}")
        self.rows.append((name, f"[red]VIOLATED {len(wrong)}[/red]" if wrong else good))


async def check(
    session: AsyncSession,
    backends: Backends,
    consumer: Consumer,
    happened: Sequence[Happened],
    recorder: Recorder,
    processes: dict[str, str],
) -> Found:
    """Check everything. `processes`: the log of each worker's process, by the id of the worker."""
    found = Found()
    jobs = {row["id"]: row for row in (await session.execute(JOBS)).mappings()}
    events: dict[str, list[Any]] = defaultdict(list)
    for row in (await session.execute(EVENTS)).mappings():
        events[row["job_id"]].append(row)
    _endings(found, backends, jobs, events)
    _runs(found, events)
    _idle(found, events, happened, recorder, processes)
    _webhooks(found, consumer, jobs)
    states = {row.state: row.n for row in await session.execute(DELIVERIES)}
    found.check("deliveries not delivered", [s for s in states if s != "delivered"], f"of {states}")
    return found


def _endings(found: Found, backends: Backends, jobs: dict[str, Any], events: dict[str, list[Any]]) -> None:
    statuses = Counter(job["status"] for job in jobs.values())
    codes = Counter(job["code"] for job in jobs.values() if job["code"])
    lost = sum(job["losses"] for job in jobs.values())
    found.rows.append(("jobs", ", ".join(f"{n} {status}" for status, n in sorted(statuses.items()))))
    found.rows.append(("errors", ", ".join(f"{n} {code}" for code, n in codes.items()) or "none"))
    found.rows.append(("losses / failures", f"{lost} / {sum(job['failures'] for job in jobs.values())}"))
    found.check("backends that gave up", backends.gave_up, f"none, {backends.retries} retries")
    accepted = set(backends.accepted)
    found.check("accepted but unknown", sorted(accepted - jobs.keys()), f"{len(accepted)} accepted")
    found.check("there but not accepted", sorted(jobs.keys() - accepted), "none")
    open_jobs = [i for i, job in jobs.items() if job["status"] not in ENDINGS]
    found.check("accepted but not ended", open_jobs, "none")
    endings = {i: sum(event["verb"] in ENDS for event in events[i]) for i in jobs}
    found.check("not exactly one ending", [i for i, n in endings.items() if n != 1], "none")
    found.check("events after the ending", [i for i in jobs if _goes_on(events[i])], "none")


def _goes_on(events: list[Any]) -> bool:
    return any(event["verb"] in ENDS for event in events[:-1])


def _runs(found: Found, events: dict[str, list[Any]]) -> None:
    """A claim is closed once, before the next; its number is new."""
    wrong, runs = [], 0
    for job_id, history in events.items():
        running, numbers = None, set()
        for event in history:
            if event["verb"] == "claim":
                ok = running is None and event["claim_no"] not in numbers
                running, runs = event["claim_no"], runs + 1
                numbers.add(running)
            elif event["verb"] in CLOSES and running is not None:
                ok, running = event["claim_no"] == running, None
            else:
                ok = event["verb"] in {"submit", "ask_cancel", "cancel", "expire"}
            if not ok:
                wrong.append(f"{job_id} {event['verb']} {event['claim_no']}")
    found.check("two effective runs of a claim", wrong, f"none of {runs} runs")


def _idle(
    found: Found,
    events: dict[str, list[Any]],
    happened: Sequence[Happened],
    recorder: Recorder,
    processes: dict[str, str],
) -> None:
    """From the fault that cost a run to the next claim, counting only the time when it could be claimed."""
    idle: list[tuple[float, str]] = []
    for job_id, history in events.items():
        for claimed, rescued, after in zip(history, history[1:], [*history[2:], None], strict=False):
            if (claimed["verb"], rescued["verb"]) != ("claim", "rescue") or after is None:
                continue
            log = processes.get(claimed["worker"])
            lost_at = [
                h.at
                for h in happened
                if h.kind in LOSSES and h.log == log and claimed["at"] <= h.at <= rescued["at"]
            ]
            begin = lost_at[0] if lost_at else rescued["at"]
            idle.append((recorder.able_seconds(begin, after["at"]), job_id))
    late = [f"{job_id} {seconds:.1f} s" for seconds, job_id in idle if seconds > IDLE_SECONDS]
    longest = max(idle, default=(0.0, ""))[0]
    middle = sorted(idle)[len(idle) // 2][0] if idle else 0.0
    good = f"none of {len(idle)}; median {middle:.1f} s, longest {longest:.1f} s"
    found.check(f"lost runs idle for over {IDLE_SECONDS:.0f} s", late, good)


def _webhooks(found: Found, consumer: Consumer, jobs: dict[str, Any]) -> None:
    ids: dict[str, set[str]] = defaultdict(set)
    times = 0
    for (job_id, event), got in consumer.received.items():
        if event == f"til.{jobs[job_id]['status']}":
            ids[job_id] |= set(got)
            times += len(got)
    found.check("webhooks refused", consumer.refused, "none, every signature was right")
    repeats = f"none, {times - len(jobs)} repeats"
    found.check("ended without a webhook", sorted(jobs.keys() - ids.keys()), repeats)
    found.check("repeats under another id", [i for i, got in ids.items() if len(got) > 1], "none")
    wrong = [key for key in consumer.received if key[1] != f"til.{jobs[key[0]]['status']}"]
    found.check("webhooks of another ending", wrong, "none")
