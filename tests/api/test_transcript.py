"""Lost, repeated, late and reordered entries: a client's text is always a prefix of what was written."""

from __future__ import annotations

import json
import uuid

from hypothesis import given, settings
from hypothesis import strategies as st

from api.transcript import ClientPosition, Transcript, event
from base.states import Status
from jobs.job_state import JobState
from signals.streams import Entry
from tests.stack.events import Reader, parsed
from worker.live.stream_state import StreamState

JOB = uuid.UUID(int=7)
WORDS = st.text("abc\n\u2028é가😀", min_size=1, max_size=5)


class Follower:
    """A job while its text is written, and one client that follows it and reconnects now and then."""

    def __init__(self) -> None:
        self.claim_no = 1
        self.stream = StreamState(JOB, 1)
        self.answers = {(1, 0): ""}
        self.entries: list[Entry] = []
        self.reader = Reader()
        self.transcript = Transcript(JOB, JobState(Status.QUEUED, 0))
        self.position = ClientPosition()
        self.at = (1, 0)

    def write(self, word: str) -> None:
        self.stream.add(word)
        self.answers[self.at] += word

    def publish(self, arrives: bool) -> None:
        entry = self.stream.update(None, webhook=False, now=1.0).entry
        self.entries.append(entry)
        if arrives:
            self.transcript.add(entry)
        else:
            self.stream.mark_lost()

    def restart(self) -> None:
        if self.answers[self.at]:
            self.stream.begin_anew()
            self.at = (self.at[0], self.at[1] + 1)
            self.answers[self.at] = ""

    def claim(self, known: bool) -> None:
        self.claim_no += 1
        self.stream = StreamState(JOB, self.claim_no)
        self.at = (self.claim_no, 0)
        self.answers[self.at] = ""
        if known:
            self.transcript.update_state(JobState(Status.RUNNING, self.claim_no))

    def repeat(self, number: int) -> None:
        if self.entries:
            self.transcript.add(self.entries[number % len(self.entries)])

    def reconnect(self, elsewhere: bool) -> None:
        """To the same api process, or to another one, which knows only the entries that Redis kept."""
        if elsewhere:
            self.transcript = Transcript(JOB, JobState(Status.RUNNING, self.claim_no))
            for entry in self.entries[-3:]:
                self.transcript.add(entry)
        self.position = ClientPosition(self.reader.last_id)

    def read(self) -> None:
        self.receive(b"".join(self.position.pending_events(self.transcript)))

    def receive(self, stream: bytes) -> None:
        for one in parsed(iter(stream.decode().splitlines())):
            self.reader.take(one)

    def end(self, content: str) -> None:
        self.transcript.update_state(JobState(Status.SUCCEEDED, self.claim_no))
        job = {"status": "succeeded", "result": {"content": content}, "partial_text": None}
        self.receive(b"".join(self.position.final_events(self.transcript, job)))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), WORDS),
        st.tuples(st.just("publish"), st.booleans()),
        st.tuples(st.just("publish"), st.just(True)),
        st.tuples(st.just("repeat"), st.integers(0, 50)),
        st.tuples(st.just("reconnect"), st.booleans()),
        st.tuples(st.just("claim"), st.booleans()),
        st.tuples(st.just("restart")),
    ),
    max_size=40,
)


@settings(max_examples=400, deadline=None)
@given(STEPS, st.booleans())
def test_the_text_has_no_gap_and_at_the_end_it_is_the_post(steps: list[tuple[str, ...]], other: bool) -> None:
    job = Follower()
    job.read()
    for name, *arguments in steps:
        getattr(job, name)(*arguments)
        job.read()
        numbers = (job.reader.last_id or "1-0-0").split("-")
        assert job.answers.get((int(numbers[0]), int(numbers[1])), "").startswith(job.reader.text)
        assert int(numbers[2]) == len(job.reader.text)
    content = "another post" if other else job.answers[job.at] + " to the end"
    before = len(job.reader.events)
    job.end(content)
    assert job.reader.text == content
    assert job.reader.names()[-2:] == ["succeeded", "end"]
    assert len(job.reader.events) - before <= 4


def test_a_client_that_connects_after_the_end_gets_the_job_alone() -> None:
    job = Follower()
    job.end("text")
    assert job.reader.names() == ["succeeded", "end"]


def test_a_failed_job_gives_the_rest_of_its_partial_text_if_the_clients_text_is_a_prefix_of_it() -> None:
    for partial, text in (("a b\n", "a b\n"), ("x\n", "a"), (None, "a")):
        job = Follower()
        job.write("a")
        job.publish(arrives=True)
        job.read()
        job.transcript.update_state(JobState(Status.FAILED, 1))
        job.receive(
            b"".join(
                job.position.final_events(
                    job.transcript, {"status": "failed", "result": None, "partial_text": partial}
                )
            )
        )
        assert job.reader.text == text


def test_an_older_state_from_postgresql_is_ignored() -> None:
    transcript = Transcript(JOB, JobState(Status.QUEUED, 0))
    transcript.add(Entry(2, 0, 0, "text"))
    assert not transcript.update_state(JobState(Status.QUEUED, 1))
    assert (transcript.status, transcript.text) == (Status.RUNNING, "text")
    assert transcript.update_state(JobState(Status.SUCCEEDED, 2))
    assert not transcript.update_state(JobState(Status.RUNNING, 2))
    assert transcript.ended


@given(st.text())
def test_no_text_can_end_its_event_early(text: str) -> None:
    (found,) = parsed(iter(event("text", {"delta": text}, "1-0-1").decode().splitlines()))
    assert (found.name, found.data, found.id) == ("text", {"delta": text}, "1-0-1")
    assert json.loads(json.dumps(text)) == text
