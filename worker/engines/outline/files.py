"""How each file changed over the day. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from til.hunks import left_out
from til.request import ChangedFile
from worker.engines.outline.diff import Diff
from worker.engines.outline.paths import kind_of


@dataclass(frozen=True)
class Change:
    """`state`: changed, new_file, deleted, renamed (from `origin`), or passing: created and deleted.

    `unread`: `binary` or `generated` for files whose changes people don't read, else None.
    """

    path: str
    kind: str | None
    added: int
    removed: int
    state: str
    origin: str
    unread: str | None

    @property
    def lines(self) -> int:
        """Lines added and removed."""
        return self.added + self.removed


def change_of(file: ChangedFile, diffs: Sequence[Diff]) -> Change:
    """The change of a file from its patches, oldest first."""
    origin = next((diff.renamed_from for diff in diffs if diff.renamed_from), file.filepath)
    return Change(
        path=file.filepath,
        kind=kind_of(file.filepath),
        added=sum(diff.added for diff in diffs),
        removed=sum(diff.removed for diff in diffs),
        state=_state(diffs[0].begins, diffs[-1].ends, origin != file.filepath),
        origin=origin,
        unread=left_out(file),
    )


def _state(begins: bool, ends: bool, renamed: bool) -> str:
    if begins and ends:
        return "passing"
    if begins or ends:
        return "new_file" if begins else "deleted"
    return "renamed" if renamed else "changed"
