"""Stewards that die, stop, or freeze between claim, POST and record, and two of them at once."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from base.database import Database
from deploy.local.postgres import PostgresServer
from tests.stack.jobs import Jobs
from tests.stack.processes import Process, Stack, until
from tests.stack.proxy import Proxy, to_postgres
from tests.stack.receiver import Receiver
from tests.webhooks.conftest import Tell, rows

QUICK = {"TIL_WEBHOOK_TIMEOUT_SECONDS": "2"}
ENDED = "SELECT state, attempts FROM deliveries"


def test_a_steward_killed_between_post_and_record_is_followed_by_a_repeat_under_the_same_id(
    stack: Stack, jobs: Jobs, receiver: Receiver
) -> None:
    steward = stack.steward(**QUICK)
    receiver.before_answer = lambda: os.kill(steward.popen.pid, signal.SIGKILL)
    stack.worker()
    job_id = jobs.submit(webhook={"url": receiver.url})
    assert steward.popen.wait(20) == -signal.SIGKILL
    receiver.before_answer = lambda: None
    assert jobs.get(job_id)["webhook"]["state"] == "pending"
    stack.steward(**QUICK)
    until(lambda: jobs.get(job_id)["webhook"]["state"] == "delivered")
    assert len(receiver.ids) == 2
    assert len(set(receiver.ids)) == 1
    (one,) = jobs.client.get(f"/v1/jobs/{job_id}/deliveries").json()["deliveries"]
    assert [attempt["number"] for attempt in one["attempts"]] == [1]


def test_two_stewards_never_post_the_same_delivery(stack: Stack, jobs: Jobs, receiver: Receiver) -> None:
    for _ in range(2):
        stack.steward()
    stack.worker()
    ids = [jobs.submit(webhook={"url": receiver.url, "events": ["started", "succeeded"]}) for _ in range(100)]
    until(lambda: len(set(receiver.ids)) == 200, 60)
    until(lambda: all(jobs.get(i)["webhook"]["state"] == "delivered" for i in ids))
    assert set(Counter(receiver.ids).values()) == {1}


@pytest.fixture
def let_go(receiver: Receiver) -> threading.Event:
    """The receiver answers when this is set."""
    event = threading.Event()

    def wait() -> None:
        event.wait(20)

    receiver.before_answer = wait
    return event


async def asked_to_stop_in_a_post(stack: Stack, receiver: Receiver, tell: Tell) -> Process:
    """A steward that was sent SIGTERM while it waits for the receiver's answer, and knows it."""
    steward = stack.steward()
    await tell(receiver.url)
    until(lambda: receiver.ids)
    steward.popen.terminate()
    until(lambda: '"steward_stopping"' in steward.log.read_text())
    return steward


async def test_a_stopping_steward_finishes_its_posts_and_starts_none(
    stack: Stack, receiver: Receiver, database: Database, tell: Tell, let_go: threading.Event
) -> None:
    steward = await asked_to_stop_in_a_post(stack, receiver, tell)
    await tell(receiver.url)
    let_go.set()
    assert steward.popen.wait(20) == 0
    assert await rows(database, ENDED + " ORDER BY attempts") == [("pending", 0), ("delivered", 1)]
    assert len(receiver.ids) == 1


async def test_a_second_sigterm_ends_a_steward_without_waiting_for_its_posts(
    stack: Stack, receiver: Receiver, database: Database, tell: Tell, let_go: threading.Event
) -> None:
    steward = await asked_to_stop_in_a_post(stack, receiver, tell)
    steward.popen.terminate()
    assert steward.popen.wait(10) == 0
    let_go.set()
    assert await rows(database, ENDED) == [("pending", 0)]


class Freezer(Proxy):
    """Freezes a steward while its first claim is being committed: the claim holds, nothing follows."""

    pid = 0
    frozen = False
    _claiming: int | None = None

    def _cut(self, number: int, server: socket.socket, data: bytes) -> bool:
        if b"lease_no + 1" in data:
            self._claiming = number
        elif number == self._claiming and b"COMMIT" in data and not self.frozen:
            os.kill(self.pid, signal.SIGSTOP)
            self.frozen = True
        return False


@pytest.fixture
def freezer(postgres: PostgresServer) -> Iterator[Freezer]:
    """On the way to this run's server."""
    made = Freezer(to_postgres(postgres.url))
    yield made
    made.close()


async def test_a_steward_frozen_for_longer_than_its_lease_posts_nothing_under_it(
    stack: Stack, receiver: Receiver, freezer: Freezer, database: Database, tell: Tell
) -> None:
    frozen = stack.steward(**QUICK, DATABASE_URL=freezer.to(stack.database_url))
    freezer.pid = frozen.popen.pid
    await tell(receiver.url)
    until(lambda: freezer.frozen)
    assert not receiver.ids
    stack.steward(**QUICK)
    until(lambda: receiver.ids)
    frozen.popen.send_signal(signal.SIGCONT)
    until(lambda: '"delivery_lease_expired"' in frozen.log.read_text())
    assert await rows(database, ENDED) == [("delivered", 1)]
    assert len(receiver.ids) == 1
