"""The life of a job as Hypothesis plays it: any verb at any time, late or twice, from two sessions."""

from __future__ import annotations

import uuid
from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from jobs import transitions
from jobs.claim import SUSPECT_LOSSES, claim
from jobs.errors import AlreadyFinished, ClaimLost, LockTimeout
from jobs.fence import Claim
from jobs.request import TilRequest
from jobs.states import ENDINGS, Status
from jobs.submit import Submission, Submitter
from jobs.workers import heartbeat
from tests.jobs.life import LEASE, LEGAL, TARGETS, Expected, World, act
from tests.stack.processes import day

PICK = st.integers(0, 10**6)
FEW = 3
"""Jobs a life: so few that the verbs meet each other."""


class Life(RuleBasedStateMachine):
    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.alias = uuid.uuid4().hex
        self.jobs: dict[uuid.UUID, Expected] = {}
        self.claims: list[Claim] = []
        self.workers = [self.world.run(self.world.register(self.alias)) for _ in range(2)]

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
        suspects = [c for c in got if self.jobs[c.claim.job_id].losses >= SUSPECT_LOSSES]
        assert len(suspects) <= 1
        for one in got:
            job = self.jobs[one.claim.job_id]
            assert job.status == Status.QUEUED
            job.status, job.worker = Status.RUNNING, worker
            job.claim_no, job.attempts = job.claim_no + 1, job.attempts + 1
            assert one.claim.claim_no == job.claim_no
            self.claims.append(one.claim)

    @precondition(lambda self: self.claims)
    @rule(pick=PICK, verb=st.sampled_from(["release", "retry", "succeed", "fail", "cancel_run"]))
    def leave(self, pick: int, verb: str) -> None:
        """Any claim that was ever given tries to end its run: only the present one can."""
        one = self.claims[pick % len(self.claims)]
        job = self.jobs[one.job_id]
        owned = (job.status, job.claim_no) == (Status.RUNNING, one.claim_no)
        got = self.world.do(lambda session: act(session, verb, one))
        assert (got is ClaimLost) is not owned
        if owned:
            job.leave(TARGETS[verb])
            job.failures += verb in {"fail", "retry"}
            job.attempts -= verb == "release"

    @precondition(lambda self: self.jobs)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        job_id = list(self.jobs)[pick % len(self.jobs)]
        job = self.jobs[job_id]
        got = self.world.do(lambda session: transitions.cancel(session, self.world.tenant_id, job_id))
        if job.status in ENDINGS:
            assert got is AlreadyFinished
            return
        job.asked = True
        if job.status == Status.QUEUED:
            job.status = Status.CANCELLED

    @rule(which=st.integers(0, 1))
    def lose_worker(self, which: int) -> None:
        """Its lease ends, a steward takes its jobs, and it comes back as another."""
        worker = self.workers[which]
        rescued = self.world.run(self.world.rescue(worker))
        held = [job for job in self.jobs.values() if job.worker == worker]
        assert rescued == len(held)
        suspects = [job for job in held if job.losses >= SUSPECT_LOSSES]
        for job in held:
            suspect = job.losses >= SUSPECT_LOSSES
            job.losses += suspect or not suspects
            job.leave(Status.FAILED if suspect else Status.QUEUED)
        self.workers[which] = self.world.run(self.world.register(self.alias))

    @rule(which=st.integers(0, 1), keep=st.booleans())
    def beat(self, which: int, keep: bool) -> None:
        """A heartbeat that names what it holds, or, having lost the answer to its claims, nothing."""
        worker = self.workers[which]
        held = [i for i, job in self.jobs.items() if job.worker == worker]
        named = [Claim(i, self.jobs[i].claim_no, worker) for i in held] if keep else []
        got = self.world.do(lambda session: heartbeat(session, worker, named, LEASE, 0.0))
        assert (got.lost, got.released) == (frozenset(), 0 if keep else len(held))
        assert {c.job_id for c in got.cancelled} == {i for i in held if keep and self.jobs[i].asked}
        for job_id in [] if keep else held:
            self.jobs[job_id].leave(Status.QUEUED)
            self.jobs[job_id].attempts -= 1

    @precondition(lambda self: self.claims)
    @rule(pick=PICK, first=st.sampled_from(["succeed", "retry"]), commit=st.booleans())
    def meet(self, pick: int, first: str, commit: bool) -> None:
        """While one session is ending a run, another one's cancel waits, and finds what came of it."""
        one = self.claims[pick % len(self.claims)]
        job = self.jobs[one.job_id]
        if (job.status, job.claim_no) != (Status.RUNNING, one.claim_no):
            return
        assert self.world.run(self.world.meet(one, first, commit)) is LockTimeout
        if commit:
            job.leave(TARGETS[first])
            job.failures += first == "retry"

    @precondition(lambda self: self.jobs)
    @rule(pick=PICK)
    def force(self, pick: int) -> None:
        """Plain SQL can't put a job where no arrow leads, nor past a cancel request."""
        job_id = list(self.jobs)[pick % len(self.jobs)]
        job = self.jobs[job_id]
        for target in Status:
            late = target == Status.EXPIRED and job.claim_no > 0
            turned = job.asked and target in {Status.SUCCEEDED, Status.FAILED, Status.QUEUED}
            illegal = (job.status, target) not in LEGAL or late or turned
            if illegal and (target != job.status or target == Status.RUNNING):
                assert self.world.run(self.world.refused(job_id, target)) in {"TQ001", "TQ002", "23514"}

    @invariant()
    def the_database_says_the_same(self) -> None:
        rows = self.world.run(self.world.look(self.alias))
        assert {row.id for row in rows} == self.jobs.keys()
        for row in rows:
            job = self.jobs[row.id]
            seen = (row.status, row.claim_no, row.worker_id, row.failures, row.losses, row.attempts)
            wanted = (job.status, job.claim_no, job.worker, job.failures, job.losses, job.attempts)
            assert seen == wanted
            assert (row.cancel_requested_at is not None) == job.asked

    def teardown(self) -> None:
        assert self.world.run(self.world.endings(self.alias)) == sum(
            j.status in ENDINGS for j in self.jobs.values()
        )


def test_any_sequence_of_verbs_keeps_every_promise(database_url: str) -> None:
    Life.world = World(database_url)
    quiet = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=60, stateful_step_count=50, deadline=None, suppress_health_check=quiet
        ),
    )
    Life.world.close()
