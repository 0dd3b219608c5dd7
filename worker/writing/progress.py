"""The progress of a run, as it is reported while the engine generates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple


class Progress(NamedTuple):
    """One report of a run. `completion_tokens` counts all of the run's calls so far.

    `text`: the JSON of the post since the last report (stage `write` only). `anew`: an answer begins, and the
    text of an earlier one is void.
    """

    stage: Literal["summarise", "write"]
    done: int
    total: int
    completion_tokens: int
    text: str = ""
    anew: bool = False

    def as_json(self) -> dict[str, Any]:
        """As the job shows it while it runs."""
        return {
            "stage": self.stage,
            "done": self.done,
            "total": self.total,
            "completion_tokens": self.completion_tokens,
        }


OnProgress = Callable[[Progress], None]
