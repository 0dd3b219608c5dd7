"""The life of a job as Hypothesis plays it: any verb at any time, late or twice, from two sessions."""

from __future__ import annotations

from functools import partial

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from base.states import ENDINGS, Status
from base.tables import Worker
from jobs import cancel, sweep
from jobs.claim import claim
from jobs.fence import Claim
from tests.jobs.life import LEGAL, Work, World, act, end_lease, pass_deadline, rescue, until_late
from tests.jobs.steps import FEW, PICK, Steps


class Life(Steps):
    """The steps, and those of a second session that writes before the first has ended."""

    def work(self, verb: str, one: Claim) -> Work:
        if verb == "cancel":
            return lambda session: cancel.cancel(session, self.world.tenant_id, one.job_id)
        return rescue if verb == "rescue" else lambda session: act(session, verb, one)

    def came_of(self, verb: str, one: Claim) -> object:
        if verb == "cancel":
            return self.jobs[one.job_id].cancel()
        which = self.workers.index(one.worker_id)
        return self.rescued(which) if verb == "rescue" else self.left(verb, one)

    @rule(
        pick=PICK,
        first=st.sampled_from(["succeed", "fail", "retry", "cancel"]),
        second=st.sampled_from(["succeed", "fail", "release", "cancel", "rescue"]),
        commit=st.booleans(),
    )
    def meet(self, pick: int, first: str, second: str, commit: bool) -> None:
        """While one session ends a run, another one waits for it, and finds its outcome."""
        running = [i for i, job in self.jobs.items() if job.worker and job.worker not in self.lapsed]
        if not running:
            return
        job_id = running[pick % len(running)]
        job = self.jobs[job_id]
        assert job.worker
        one = Claim(job_id, job.claim_no, job.worker)
        missed = partial(end_lease, worker=one.worker_id, at="'epoch'") if second == "rescue" else None
        met = self.world.meet(self.work(first, one), self.work(second, one), commit, missed)
        assert met.waited
        if commit:
            self.came_of(first, one)
        assert met.second == self.came_of(second, one)

    @precondition(lambda self: self.never_started())
    @rule(which=st.integers(0, 1), commit=st.booleans())
    def expire_while_claimed(self, which: int, commit: bool) -> None:
        """A job whose deadline passes while somebody is claiming it does not expire meanwhile."""
        worker, due = self.workers[which], [i for i in self.never_started() if not self.jobs[i].late]
        if worker in self.lapsed or not due:
            return
        self.world.do(partial(pass_deadline, job_ids=due, after="50 ms"))
        start = partial(claim, worker_id=worker, k=FEW)
        met = self.world.meet(start, sweep.expire_jobs, commit, partial(until_late, job_ids=due))
        if commit:
            self.take(met.first)
        for job_id in due:
            self.jobs[job_id].late = True
        claimed = [one.claim.job_id for one in met.first]
        assert (met.second, met.waited) == (self.expired(but=claimed), False)

    @precondition(lambda self: self.never_started())
    @rule(which=st.integers(0, 1), commit=st.booleans())
    def claim_while_expiring(self, which: int, commit: bool) -> None:
        """Nor is a job claimed that is expiring."""
        worker, due = self.workers[which], self.never_started()
        if worker in self.lapsed:
            return
        self.world.do(partial(pass_deadline, job_ids=due))
        for job_id in due:
            self.jobs[job_id].late = True
        met = self.world.meet(sweep.expire_jobs, partial(claim, worker_id=worker, k=FEW), commit)
        if commit:
            self.expired()
        self.take(met.second)
        assert (met.first, met.waited) == (len(due), False)

    @precondition(lambda self: self.jobs)
    @rule(pick=PICK)
    def force(self, pick: int) -> None:
        """Plain SQL can't make an illegal transition, nor ignore a cancel request."""
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
        ended = sum(job.status in ENDINGS for job in self.jobs.values())
        assert self.world.run(self.world.endings(self.alias)) == ended
        self.world.do(self.leave_nothing_to_others)

    async def leave_nothing_to_others(self, session: AsyncSession) -> None:
        await sweep.expire_jobs(session)
        await session.execute(delete(Worker).where(Worker.id.in_(self.workers)))


def test_any_sequence_of_verbs_keeps_every_promise(database_url: str) -> None:
    Life.world = World(database_url)
    quiet = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=100, stateful_step_count=50, deadline=None, suppress_health_check=quiet
        ),
    )
    Life.world.close()
