"""The steps of a job's life that need one session: any verb at any time, late or twice."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from api.group_commit import Submitter
from base.errors import ClaimLost, WorkerGone
from base.states import Status
from jobs import sweep
from jobs.cancel import cancel
from jobs.claim import SUSPECT_LOSSES, claim
from jobs.fence import Claim, Claimed
from jobs.submission import Submission
from jobs.workers import heartbeat
from tests.jobs.life import LEASE, Expected, World, act, end_lease, pass_deadline, rescue
from tests.stack.processes import day
from til.request import TilRequest

PICK = st.integers(0, 10**6)
LEAVES = ["release", "retry", "succeed", "fail", "cancel_run"]
FEW = 3
"""Jobs in one test: few, so that the verbs hit the same ones."""


class Steps(RuleBasedStateMachine):
    """A few jobs and two workers, and what they must look like."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.alias = uuid.uuid4().hex
        self.jobs: dict[uuid.UUID, Expected] = {}
        self.claims: list[Claim] = []
        self.workers = [self.world.run(self.world.register(self.alias)) for _ in range(2)]
        self.lapsed: set[uuid.UUID] = set()
        """Workers whose lease has ended, and that no steward has taken yet."""

    @precondition(lambda self: len(self.jobs) < FEW)
    @rule()
    def submit(self) -> None:
        submission = Submission(self.world.tenant_id, TilRequest.model_validate(day()), self.alias)
        self.world.run(Submitter(self.world.pool).submit(submission))
        self.jobs[submission.id] = Expected()

    @rule(which=st.integers(0, 1), k=st.integers(1, 3))
    def claim(self, which: int, k: int) -> None:
        worker = self.workers[which]
        got = self.world.do(lambda session: claim(session, worker, k))
        if worker in self.lapsed:
            assert got is WorkerGone
            return
        self.take(got)

    def take(self, got: list[Claimed]) -> None:
        suspects = [c for c in got if self.jobs[c.claim.job_id].losses >= SUSPECT_LOSSES]
        assert len(suspects) <= 1
        for one in got:
            job = self.jobs[one.claim.job_id]
            assert (job.status, job.late and not job.claim_no) == (Status.QUEUED, False)
            job.status, job.worker = Status.RUNNING, one.claim.worker_id
            job.claim_no, job.attempts = job.claim_no + 1, job.attempts + 1
            assert one.claim.claim_no == job.claim_no
            self.claims.append(one.claim)

    @precondition(lambda self: self.claims)
    @rule(pick=PICK, verb=st.sampled_from(LEAVES))
    def leave(self, pick: int, verb: str) -> None:
        """Any claim that was ever given tries to end its run: only the present one of a live worker can."""
        one = self.claims[pick % len(self.claims)]
        got = self.world.do(lambda session: act(session, verb, one))
        assert got is self.left(verb, one)

    def left(self, verb: str, one: Claim) -> object:
        job = self.jobs[one.job_id]
        return ClaimLost if job.worker in self.lapsed else job.act(verb, one.claim_no)

    @precondition(lambda self: self.jobs)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        job_id = list(self.jobs)[pick % len(self.jobs)]
        got = self.world.do(lambda session: cancel(session, self.world.tenant_id, job_id))
        assert got == self.jobs[job_id].cancel()

    @precondition(lambda self: self.jobs)
    @rule(pick=PICK)
    def pass_deadline(self, pick: int) -> None:
        job_id = list(self.jobs)[pick % len(self.jobs)]
        self.world.do(lambda session: pass_deadline(session, [job_id]))
        self.jobs[job_id].late = True

    @rule()
    def expire(self) -> None:
        """Only what has never started expires."""
        assert self.world.do(sweep.expire_jobs) == self.expired()

    def expired(self, but: Sequence[uuid.UUID] = ()) -> int:
        due = [self.jobs[i] for i in self.never_started() if self.jobs[i].late and i not in but]
        for job in due:
            job.status = Status.EXPIRED
        return len(due)

    def never_started(self) -> list[uuid.UUID]:
        return [i for i, job in self.jobs.items() if (job.status, job.claim_no) == (Status.QUEUED, 0)]

    @rule(which=st.integers(0, 1))
    def lapse(self, which: int) -> None:
        """Its lease ends, and nobody notices yet."""
        self.world.do(lambda session: end_lease(session, self.workers[which]))
        self.lapsed.add(self.workers[which])

    @rule(which=st.integers(0, 1))
    def lose_worker(self, which: int) -> None:
        """Its lease ends, a steward takes its jobs, and it comes back as another."""
        self.world.do(lambda session: end_lease(session, self.workers[which], "'epoch'"))
        assert self.world.do(rescue) == self.rescued(which)

    def rescued(self, which: int) -> int:
        worker = self.workers[which]
        held = [job for job in self.jobs.values() if job.worker == worker]
        suspects = [job for job in held if job.losses >= SUSPECT_LOSSES]
        for job in held:
            suspect = job.losses >= SUSPECT_LOSSES
            job.losses += suspect or not suspects
            job.leave(Status.FAILED if suspect else Status.QUEUED)
        self.workers[which] = self.world.run(self.world.register(self.alias))
        self.lapsed.discard(worker)
        return len(held)

    @rule(which=st.integers(0, 1), keep=st.booleans(), through_outage=st.booleans())
    def beat(self, which: int, keep: bool, through_outage: bool) -> None:
        """A heartbeat that names what it holds, or, having lost the answer to its claims, nothing."""
        worker = self.workers[which]
        held = [i for i, job in self.jobs.items() if job.worker == worker]
        named = [Claim(i, self.jobs[i].claim_no, worker) for i in held] if keep else []
        got = self.world.do(lambda session: heartbeat(session, worker, named, LEASE, 0.0, through_outage))
        if worker in self.lapsed and not through_outage:
            assert got is WorkerGone
            return
        self.lapsed.discard(worker)
        assert (got.lost, got.released) == (frozenset(), 0 if keep else len(held))
        assert {c.job_id for c in got.cancelled} == {i for i in held if keep and self.jobs[i].asked}
        for job_id in [] if keep else held:
            self.jobs[job_id].act("release", self.jobs[job_id].claim_no)
