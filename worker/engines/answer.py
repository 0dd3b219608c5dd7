"""Collects a streamed chat completion, leniently: not all servers follow the protocol exactly."""

from __future__ import annotations

import math
import re
from typing import Any

from worker.engines import AnswerWithheld, Call, Completion, EngineFailed, OnText
from worker.engines.refusal import error_of_refusal, parse_error

CUT = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
WITHHELD = frozenset({"content_filter", "safety", "refusal", "recitation", "blocklist", "prohibited_content"})
TEXTS = ("text", "output_text", "", None)
"""Types of content parts that belong to the answer; others are reasoning, images or tool calls."""
MOST_TOKENS = 10**8
"""A larger count of a server is ignored."""
BYTES_PER_TOKEN = 4
"""To estimate a prompt that the server does not count."""
SURROGATES = re.compile("[\ud800-\udfff]")


class StreamedAnswer:
    """The answer so far. `reason`: the finish reason, once it came; `done`: the stream has ended properly."""

    def __init__(self, on_text: OnText) -> None:
        self.reason: str | None = None
        self.done = False
        self._on_text = on_text
        self._parts: list[str] = []
        self._half = ""
        self._refusal = ""
        self._tokens = 0
        self._usage: dict[str, Any] = {}

    def feed(self, event: Any) -> None:
        """Add one chunk, or a whole completion. Raises EngineFailed, InputTooLarge if it is an error."""
        if not isinstance(event, dict):
            return
        if error := event.get("error") or (event if event.get("object") == "error" else None):
            raise error_of_refusal(None, parse_error(error))
        if isinstance(usage := event.get("usage"), dict) and usage:
            self._usage = usage
        for choice in _list(event.get("choices")):
            if isinstance(choice, dict) and not choice.get("index"):
                self._feed_choice(choice)

    def _feed_choice(self, choice: dict[str, Any]) -> None:
        delta = choice.get("delta") or (None if self._parts else choice.get("message"))
        if not isinstance(delta, dict):
            delta = {"content": None if self._parts else choice.get("text")}
        text, reasoning = (
            text_of(delta.get("content")),
            delta.get("reasoning_content") or delta.get("reasoning"),
        )
        if isinstance(refusal := delta.get("refusal"), str):
            self._refusal += refusal
        if not text:
            text = arguments_of(delta.get("tool_calls"))
        if text or reasoning:
            self._tokens += 1
            self._emit(text)
        if isinstance(reason := choice.get("finish_reason"), str) and reason:
            self.reason = reason.lower()

    def _emit(self, text: str) -> None:
        """Surrogates of one pair that come in two chunks are joined; lone ones are replaced."""
        text = self._half + text
        self._half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        text = whole_characters(text.removesuffix(self._half) if self._half else text)
        if text:
            self._parts.append(text)
        self._on_text(text, self._tokens)

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._parts)

    @property
    def ended(self) -> bool:
        """Whether the server has ended the answer properly."""
        return self.reason is not None or self.done

    def completion(self, call: Call) -> Completion:
        """The whole answer. Raises EngineFailed when it broke off or was withheld.

        An answer of `max_output_tokens` counts as cut off whatever its finish reason, which is always `stop`
        from Triton's front end.
        """
        text = self.text
        if self.reason in WITHHELD or (self._refusal and not text):
            why = self.reason if self.reason in WITHHELD else "refusal"
            raise AnswerWithheld(f"The model's server withheld the answer ({why}).", self._refusal)
        if not self.ended:
            raise EngineFailed("The model's server ended its answer without a finish.")
        prompt = _count(self._usage, "prompt_tokens")
        details = self._usage.get("prompt_tokens_details")
        cached = _count(details if isinstance(details, dict) else {}, "cached_tokens") or 0
        tokens = _count(self._usage, "completion_tokens")
        prompt = prompt_tokens(call) if prompt is None else prompt
        complete = self.reason not in CUT and (tokens is None or tokens < call.max_output_tokens)
        return Completion(
            text, complete, prompt, min(cached, prompt), self._tokens if tokens is None else tokens
        )


def prompt_tokens(call: Call) -> int:
    """Tokens of the prompt: exact if the engine has a tokenizer, else an estimate."""
    if call.prompt_ids is not None:
        return len(call.prompt_ids)
    return len((call.system + call.user).encode(errors="replace")) // BYTES_PER_TOKEN


def text_of(content: Any) -> str:
    """The text of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    parts = [content] if isinstance(content, dict) else _list(content)
    return "".join(part if isinstance(part, str) else _text_of_part(part) for part in parts)


def _text_of_part(part: Any) -> str:
    if not isinstance(part, dict) or not isinstance(part.get("text"), str):
        return ""
    return str(part["text"]) if part.get("type") in TEXTS else ""


def arguments_of(tool_calls: Any) -> str:
    """The arguments of the first tool call: with `tool_choice` they are the answer."""
    for call in _list(tool_calls):
        if isinstance(call, dict) and not call.get("index") and isinstance(call.get("function"), dict):
            arguments = call["function"].get("arguments")
            return arguments if isinstance(arguments, str) else ""
    return ""


def whole_characters(text: str) -> str:
    """The text with surrogate pairs joined into characters, and lone surrogates replaced."""
    if not SURROGATES.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _count(counts: dict[str, Any], name: str) -> int | None:
    """A plausible count, also one given as a string; else None."""
    value = counts.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return int(number) if math.isfinite(number) and 0 <= number <= MOST_TOKENS else None
