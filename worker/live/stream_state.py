"""What the Redis stream of one run holds, and the next entry for it."""

from __future__ import annotations

import uuid

from signals.streams import MOST_ENTRIES, Entry, StreamUpdate
from worker.writing.progress import Progress

MOST_TEXT_BYTES = 49_152
"""Text beyond this is not published while the job runs."""
MOST_BYTES = 65_536
"""A stream that would hold more text is replaced by one entry with the whole text."""
REPEAT_SECONDS = 60.0
"""After so long the whole text is published again, in case Redis has evicted the stream."""


class StreamState:
    """The text of a run. `update` makes an entry of what is new, or of the whole text where one was lost."""

    def __init__(self, job_id: uuid.UUID, claim_no: int) -> None:
        self._job_id = job_id
        self._claim_no = claim_no
        self._answer = 0
        self._parts: list[str] = []
        self._publishable = 0
        self._bytes = 0
        self._published = 0
        self._offset = 0
        self._lost = True
        self._kept_entries = 0
        self._kept_bytes = 0
        self._whole_at = 0.0

    def text(self) -> str:
        """The whole text of the present answer."""
        return "".join(self._parts)

    def begin_anew(self) -> None:
        """The engine begins another answer: the text begins from nothing."""
        if self._parts:
            self._answer += 1
            self._parts, self._publishable, self._bytes, self._lost = [], 0, 0, True

    def add(self, text: str) -> None:
        """Append to the present answer."""
        if self._publishable == len(self._parts):
            self._bytes += len(text.encode())
            self._publishable += self._bytes <= MOST_TEXT_BYTES
        self._parts.append(text)

    def update(self, progress: Progress | None, webhook: bool, now: float) -> StreamUpdate:
        """The next entry; it has the whole text if entries were lost, or the stream is full or old."""
        whole = self.due(now) or self._kept_entries >= MOST_ENTRIES
        text = "" if whole else "".join(self._parts[self._published : self._publishable])
        size = len(text.encode())
        whole |= self._kept_bytes + size > MOST_BYTES
        if whole:
            self._offset = self._kept_entries = self._kept_bytes = 0
            text, self._whole_at, self._lost = "".join(self._parts[: self._publishable]), now, False
            size = len(text.encode())
        shown = progress.as_json() if progress else None
        entry = Entry(self._claim_no, self._answer, self._offset, text, shown)
        self._published, self._offset = self._publishable, self._offset + len(text)
        self._kept_entries += 1
        self._kept_bytes += size
        return StreamUpdate(self._job_id, entry, whole, webhook)

    def mark_lost(self) -> None:
        """The last entry may not have arrived: the next one has the whole text."""
        self._lost = True

    def due(self, now: float) -> bool:
        """Whether the whole text is to be published although nothing is new."""
        return self._lost or now - self._whole_at >= REPEAT_SECONDS
