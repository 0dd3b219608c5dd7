"""A followed job: its status from PostgreSQL, its text from Redis; and how much of it a client has."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

from base.states import ENDINGS, Status
from jobs.job_state import JobState
from signals.streams import START, Entry

EVENT_ID = re.compile(r"(\d{1,18})-(\d{1,9})-(\d{1,9})")


class Transcript:
    """Status, progress and text of one job. PostgreSQL and Redis may report in any order, and twice."""

    def __init__(self, job_id: uuid.UUID, state: JobState) -> None:
        self.job_id = job_id
        self.status = state.status
        self.claim_no = state.claim_no
        self.answer = 0
        self.text = ""
        self.progress: dict[str, Any] | None = None
        self.position = START
        self.gone = False

    @property
    def ended(self) -> bool:
        """Whether the job has ended: nothing will change."""
        return self.status in ENDINGS

    def update_state(self, state: JobState) -> bool:
        """Take the state from PostgreSQL; whether it is new. A state of an earlier claim is ignored."""
        if self.ended or state.claim_no < self.claim_no:
            return False
        if state.claim_no > self.claim_no:
            self._begin(state.claim_no, 0)
        elif state.status == self.status:
            return False
        self.status = state.status
        return True

    def add(self, entry: Entry) -> None:
        """Take a worker's entry. One of an earlier claim is ignored, also text that would leave a gap."""
        at = (entry.claim_no, entry.answer)
        if at < (self.claim_no, self.answer):
            return
        if entry.claim_no > self.claim_no:
            self.status = Status.RUNNING
        if at > (self.claim_no, self.answer):
            self._begin(*at)
        self.progress = entry.progress or self.progress
        known = len(self.text) - entry.offset
        if 0 <= known < len(entry.text):
            self.text += entry.text[known:]

    def _begin(self, claim_no: int, answer: int) -> None:
        self.claim_no, self.answer, self.text, self.progress = claim_no, answer, "", None


class ClientPosition:
    """How much of a transcript one client has. An event's id is `<claim>-<answer>-<characters>`.

    A client empties its text at each event `status` `running`.
    """

    def __init__(self, last_event_id: str | None = None) -> None:
        found = EVENT_ID.fullmatch(last_event_id or "")
        self._status = Status.RUNNING if found else None
        self._at = (int(found[1]), int(found[2])) if found else (-1, 0)
        self._characters = int(found[3]) if found else 0
        self._progress: dict[str, Any] | None = None

    def pending_events(self, transcript: Transcript) -> Iterator[bytes]:
        """The events that the client lacks, while the job has not ended."""
        at = (transcript.claim_no, transcript.answer)
        if (self._status, self._at) != (transcript.status, at):
            yield self._begin(transcript.status, at)
        if transcript.status != Status.RUNNING:
            return
        if transcript.progress not in (None, self._progress):
            self._progress = transcript.progress
            yield event("progress", transcript.progress)
        yield from self._text(transcript.text)

    def final_events(self, transcript: Transcript, job: dict[str, Any]) -> Iterator[bytes]:
        """The rest of the text for a client that was connected before the end, then the ended job."""
        if self._status is not None:
            yield from self._rest(transcript, job)
        yield event("status", {"status": job["status"]})
        yield event("end", job)

    def _rest(self, transcript: Transcript, job: dict[str, Any]) -> Iterator[bytes]:
        content = job["result"]["content"] if job["result"] else job["partial_text"] or ""
        at, has = (transcript.claim_no, transcript.answer), transcript.text[: self._characters]
        here = self._status == Status.RUNNING and self._at == at and len(has) == self._characters
        if not (here and content.startswith(has)):
            if not job["result"]:
                return
            yield self._begin(Status.RUNNING, at)
        yield from self._text(content)

    def _begin(self, status: Status, at: tuple[int, int]) -> bytes:
        self._status, self._at, self._characters, self._progress = status, at, 0, None
        return event("status", {"status": status}, self._id())

    def _text(self, text: str) -> Iterator[bytes]:
        delta = text[self._characters :]
        if delta:
            self._characters = len(text)
            yield event("text", {"delta": delta}, self._id())

    def _id(self) -> str:
        return f"{self._at[0]}-{self._at[1]}-{self._characters}"


def event(name: str, data: Any, event_id: str = "") -> bytes:
    """One server-sent event; its data is one line of ASCII, so nothing in it can end a line early."""
    lines = [f"event: {name}", f"data: {json.dumps(data)}"]
    if event_id:
        lines.append(f"id: {event_id}")
    return ("\n".join(lines) + "\n\n").encode()
