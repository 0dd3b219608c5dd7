"""How far the writing of a post is, as the engine's words come in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple


class Progress(NamedTuple):
    """One report of a run. `completion_tokens` counts all of the run's calls so far.

    `text` is the JSON of the post written since the last report (stage `write` only); `anew`: it begins the
    post from nothing, also after an answer that was no post.
    """

    stage: Literal["summarise", "write"]
    done: int
    total: int
    completion_tokens: int
    text: str = ""
    anew: bool = False

    def as_json(self) -> dict[str, Any]:
        """What the job shows while it runs."""
        return {
            "stage": self.stage,
            "done": self.done,
            "total": self.total,
            "completion_tokens": self.completion_tokens,
        }


OnProgress = Callable[[Progress], None]
