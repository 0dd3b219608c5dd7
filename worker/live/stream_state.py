"""What one run has told its readers, and what it tells them next."""

from __future__ import annotations

import uuid

from signals.streams import MOST_ENTRIES, Entry, StreamUpdate
from worker.writing.progress import Progress

MOST_TEXT_BYTES = 49_152
"""What a post has beyond this is not shown while it is written."""
MOST_BYTES = 65_536
"""A stream that would hold more text begins again with the whole."""
AGAIN_SECONDS = 60.0
"""So long without a word, or with a stream that Redis may have dropped."""


class StreamState:
    """The text of a run, from which `update` makes entries that leave no hole, whatever was lost before."""

    def __init__(self, job_id: uuid.UUID, claim_no: int) -> None:
        self._job_id = job_id
        self._claim_no = claim_no
        self._answer = 0
        self._parts: list[str] = []
        self._tellable = 0
        self._bytes = 0
        self._told = 0
        self._offset = 0
        self._lost = True
        self._kept_entries = 0
        self._kept_bytes = 0
        self._whole_at = 0.0

    def text(self) -> str:
        """All of the present answer."""
        return "".join(self._parts)

    def begin_anew(self) -> None:
        """Another answer begins."""
        if self._parts:
            self._answer += 1
            self._parts, self._tellable, self._bytes, self._lost = [], 0, 0, True

    def add(self, text: str) -> None:
        """The answer goes on."""
        if self._tellable == len(self._parts):
            self._bytes += len(text.encode())
            self._tellable += self._bytes <= MOST_TEXT_BYTES
        self._parts.append(text)

    def update(self, progress: Progress | None, webhook: bool, now: float) -> StreamUpdate:
        """What to tell now."""
        whole = self.due(now) or self._kept_entries >= MOST_ENTRIES
        text = "" if whole else "".join(self._parts[self._told : self._tellable])
        size = len(text.encode())
        whole |= self._kept_bytes + size > MOST_BYTES
        if whole:
            self._offset = self._kept_entries = self._kept_bytes = 0
            text, self._whole_at, self._lost = "".join(self._parts[: self._tellable]), now, False
            size = len(text.encode())
        shown = progress.as_json() if progress else None
        entry = Entry(self._claim_no, self._answer, self._offset, text, shown)
        self._told, self._offset = self._tellable, self._offset + len(text)
        self._kept_entries += 1
        self._kept_bytes += size
        return StreamUpdate(self._job_id, entry, whole, webhook)

    def lose(self) -> None:
        """The last news may not have arrived: the next ones have the whole again."""
        self._lost = True

    def due(self, now: float) -> bool:
        """Whether there is something to tell although nothing was written."""
        return self._lost or now - self._whole_at >= AGAIN_SECONDS
