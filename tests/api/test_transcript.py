"""Whatever is lost, repeated, late or out of order: a client's text is a beginning of what was written."""

from __future__ import annotations

import json
import uuid

from hypothesis import given, settings
from hypothesis import strategies as st

from api.transcript import Place, Transcript, event
from base.states import Status
from jobs.job_state import JobState
from signals.streams import Entry
from tests.stack.events import Reader, parsed
from worker.live.stream_state import StreamState

JOB = uuid.UUID(int=7)
WORDS = st.text("abc\n\u2028é가😀", min_size=1, max_size=5)


class Follower:
    """A job that is written, and one client of it that hangs up now and then."""

    def __init__(self) -> None:
        self.claim_no = 1
        self.stream = StreamState(JOB, 1)
        self.answers = {(1, 0): ""}
        self.entries: list[Entry] = []
        self.reader = Reader()
        self.transcript = Transcript(JOB, JobState(Status.QUEUED, 0))
        self.place = Place()
        self.at = (1, 0)

    def write(self, word: str) -> None:
        self.stream.add(word)
        self.answers[self.at] += word

    def tell(self, arrives: bool) -> None:
        entry = self.stream.update(None, webhook=False, now=1.0).entry
        self.entries.append(entry)
        if arrives:
            self.transcript.take(entry)
        else:
            self.stream.mark_lost()

    def begin_anew(self) -> None:
        if self.answers[self.at]:
            self.stream.begin_anew()
            self.at = (self.at[0], self.at[1] + 1)
            self.answers[self.at] = ""

    def claim(self, told: bool) -> None:
        self.claim_no += 1
        self.stream = StreamState(JOB, self.claim_no)
        self.at = (self.claim_no, 0)
        self.answers[self.at] = ""
        if told:
            self.transcript.stands(JobState(Status.RUNNING, self.claim_no))

    def hear_again(self, number: int) -> None:
        if self.entries:
            self.transcript.take(self.entries[number % len(self.entries)])

    def reconnect(self, elsewhere: bool) -> None:
        """To this api or to another, which begins with what Redis kept: here, the last few entries."""
        if elsewhere:
            self.transcript = Transcript(JOB, JobState(Status.RUNNING, self.claim_no))
            for entry in self.entries[-3:]:
                self.transcript.take(entry)
        self.place = Place(self.reader.last_id)

    def read(self) -> None:
        self.take(b"".join(self.place.news(self.transcript)))

    def take(self, stream: bytes) -> None:
        for one in parsed(iter(stream.decode().splitlines())):
            self.reader.take(one)

    def end(self, content: str) -> None:
        self.transcript.stands(JobState(Status.SUCCEEDED, self.claim_no))
        job = {"status": "succeeded", "result": {"content": content}, "partial_text": None}
        self.take(b"".join(self.place.ending(self.transcript, job)))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), WORDS),
        st.tuples(st.just("tell"), st.booleans()),
        st.tuples(st.just("tell"), st.just(True)),
        st.tuples(st.just("hear_again"), st.integers(0, 50)),
        st.tuples(st.just("reconnect"), st.booleans()),
        st.tuples(st.just("claim"), st.booleans()),
        st.tuples(st.just("begin_anew")),
    ),
    max_size=40,
)


@settings(max_examples=400, deadline=None)
@given(STEPS, st.booleans())
def test_the_text_has_no_hole_and_at_the_end_it_is_the_post(
    steps: list[tuple[str, ...]], other: bool
) -> None:
    job = Follower()
    job.read()
    for name, *arguments in steps:
        getattr(job, name)(*arguments)
        job.read()
        place = (job.reader.last_id or "1-0-0").split("-")
        assert job.answers.get((int(place[0]), int(place[1])), "").startswith(job.reader.text)
        assert int(place[2]) == len(job.reader.text)
    content = "another post" if other else job.answers[job.at] + " to the end"
    before = len(job.reader.events)
    job.end(content)
    assert job.reader.text == content
    assert job.reader.names()[-2:] == ["succeeded", "end"]
    assert len(job.reader.events) - before <= 4


def test_a_client_that_comes_after_the_end_gets_the_job_alone() -> None:
    job = Follower()
    job.end("text")
    assert job.reader.names() == ["succeeded", "end"]


def test_a_failed_job_gives_the_rest_of_its_partial_text_if_that_goes_on_from_there() -> None:
    for partial, text in (("a b\n", "a b\n"), ("x\n", "a"), (None, "a")):
        job = Follower()
        job.write("a")
        job.tell(arrives=True)
        job.read()
        job.transcript.stands(JobState(Status.FAILED, 1))
        job.take(
            b"".join(
                job.place.ending(
                    job.transcript, {"status": "failed", "result": None, "partial_text": partial}
                )
            )
        )
        assert job.reader.text == text


def test_what_postgresql_said_before_does_not_undo_what_is_known() -> None:
    transcript = Transcript(JOB, JobState(Status.QUEUED, 0))
    transcript.take(Entry(2, 0, 0, "text"))
    assert not transcript.stands(JobState(Status.QUEUED, 1))
    assert (transcript.status, transcript.text) == (Status.RUNNING, "text")
    assert transcript.stands(JobState(Status.SUCCEEDED, 2))
    assert not transcript.stands(JobState(Status.RUNNING, 2))
    assert transcript.ended


@given(st.text())
def test_an_event_is_never_cut_by_its_own_text(text: str) -> None:
    (found,) = parsed(iter(event("text", {"delta": text}, "1-0-1").decode().splitlines()))
    assert (found.name, found.data, found.id) == ("text", {"delta": text}, "1-0-1")
    assert json.loads(json.dumps(text)) == text
