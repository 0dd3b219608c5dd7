"""The request of a chat completion, the schema of its answer, and the ways to send that with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

SCHEMA_NAME = "til_post"
"""The name of the schema, or of the tool whose parameters it describes."""


class SchemaMode(StrEnum):
    """How the JSON schema of an answer is sent."""

    RESPONSE_FORMAT = "response_format"
    TOOL_CHOICE = "tool_choice"
    """As the parameters of a tool that must be called: the only mode that Triton's front end enforces."""
    PROMPT_ONLY = "prompt_only"
    """Not at all: only the prompt describes the answer."""


@dataclass(frozen=True)
class ChatRequest:
    """One chat completion: two messages, and how the answer is generated."""

    system: str
    user: str
    temperature: float
    seed: int
    max_tokens: int
    schema: dict[str, Any] | None = None
    schema_mode: SchemaMode = SchemaMode.PROMPT_ONLY

    def body(self, model: str) -> dict[str, Any]:
        """The JSON of the HTTP request."""
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
        } | self._schema_fields()

    def _schema_fields(self) -> dict[str, Any]:
        match self.schema_mode:
            case SchemaMode.RESPONSE_FORMAT:
                schema = {"name": SCHEMA_NAME, "strict": True, "schema": self.schema}
                return {"response_format": {"type": "json_schema", "json_schema": schema}}
            case SchemaMode.TOOL_CHOICE:
                tool = {"name": SCHEMA_NAME, "parameters": self.schema}
                choice = {"type": "function", "function": {"name": SCHEMA_NAME}}
                return {"tools": [{"type": "function", "function": tool}], "tool_choice": choice}
            case SchemaMode.PROMPT_ONLY:
                return {}


def object_schema(**properties: Any) -> dict[str, Any]:
    """The JSON schema of an object with exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
