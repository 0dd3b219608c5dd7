"""The usage of a run: calls and tokens, also of a run that fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from worker.engines import Completion


@dataclass
class RunUsage:
    """The calls of one run. Calls that the engine refused or did not take are not counted."""

    completions: list[Completion] = field(default_factory=list)

    def add(self, completion: Completion) -> None:
        """Count a call that has ended."""
        self.completions.append(completion)

    def add_unfinished(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Count a call that failed or was stopped after a part of its answer had come."""
        self.completions.append(Completion("", False, prompt_tokens, 0, completion_tokens))

    def as_json(self) -> dict[str, Any]:
        """As the job shows it."""
        return {
            "prompt_tokens": sum(one.prompt_tokens for one in self.completions),
            "cached_tokens": sum(one.cached_tokens for one in self.completions),
            "completion_tokens": sum(one.completion_tokens for one in self.completions),
            "calls": len(self.completions),
        }
