"""What a run has cost so far, whatever comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from worker.engines import Completion


@dataclass
class Spent:
    """The calls of one run that the engine has worked on; those that it refused cost nothing."""

    written: list[Completion] = field(default_factory=list)

    def add(self, written: Completion) -> None:
        """A call that has ended."""
        self.written.append(written)

    def add_broken(self, prompt_tokens: int, completion_tokens: int) -> None:
        """A call that failed or was stopped while its answer came."""
        self.written.append(Completion("", False, prompt_tokens, 0, completion_tokens))

    def usage(self) -> dict[str, Any]:
        """As the job shows it."""
        return {
            "prompt_tokens": sum(one.prompt_tokens for one in self.written),
            "cached_tokens": sum(one.cached_tokens for one in self.written),
            "completion_tokens": sum(one.completion_tokens for one in self.written),
            "calls": len(self.written),
        }
