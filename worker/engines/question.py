"""A chat completion as it is sent, and the ways of asking that its answer keeps to a schema."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

NAME = "til_post"
"""Of the schema, or of the tool whose parameters it describes."""


class Asking(StrEnum):
    """How a server is asked to keep to a schema."""

    FORMAT = "response_format"
    TOOL = "tool_choice"
    """As the parameters of a tool that it must call: the one way with Triton's front end."""
    WORDS = "words"
    """Not at all: only the prompt says what an answer looks like."""


@dataclass(frozen=True)
class Question:
    """One chat completion."""

    system: str
    user: str
    temperature: float
    seed: int
    max_tokens: int
    schema: dict[str, Any] | None = None
    asking: Asking = Asking.WORDS

    def body(self, model: str) -> dict[str, Any]:
        """What is sent."""
        return {
            "model": model,
            "messages": [
                {"role": "system", "content": self.system},
                {"role": "user", "content": self.user},
            ],
            "temperature": self.temperature,
            "seed": self.seed,
            "max_tokens": self.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        } | self._form()

    def _form(self) -> dict[str, Any]:
        match self.asking:
            case Asking.FORMAT:
                schema = {"name": NAME, "strict": True, "schema": self.schema}
                return {"response_format": {"type": "json_schema", "json_schema": schema}}
            case Asking.TOOL:
                tool = {"name": NAME, "parameters": self.schema}
                choice = {"type": "function", "function": {"name": NAME}}
                return {"tools": [{"type": "function", "function": tool}], "tool_choice": choice}
            case Asking.WORDS:
                return {}
