"""A chat completion as it comes in, from servers that follow the protocol more or less."""

from __future__ import annotations

import math
import re
from typing import Any

from worker.engines import AnswerWithheld, Call, Completion, EngineFailed, OnText
from worker.engines.refusal import refused, said_by

CUT = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
WITHHELD = frozenset({"content_filter", "safety", "refusal", "recitation", "blocklist", "prohibited_content"})
TEXTS = ("text", "output_text", "", None)
"""Kinds of parts that are the answer; others are thoughts, images or tools."""
MOST_TOKENS = 10**8
"""A server's count beyond this is not believed."""
BYTES_PER_TOKEN = 4
"""Of a prompt, where the server does not count it."""
SURROGATES = re.compile("[\ud800-\udfff]")


class Answer:
    """What has come so far of one answer; `reason`: why it ended, once it has."""

    def __init__(self, on_text: OnText) -> None:
        self.reason: str | None = None
        self.done = False
        self._on_text = on_text
        self._parts: list[str] = []
        self._half = ""
        self._refusal = ""
        self._tokens = 0
        self._usage: dict[str, Any] = {}

    def take(self, event: Any) -> None:
        """One chunk, or a whole completion. Raises EngineFailed, InputTooLarge where it is an error."""
        if not isinstance(event, dict):
            return
        if error := event.get("error") or (event if event.get("object") == "error" else None):
            raise refused(None, said_by(error))
        if isinstance(usage := event.get("usage"), dict) and usage:
            self._usage = usage
        for choice in _list(event.get("choices")):
            if isinstance(choice, dict) and not choice.get("index"):
                self._take(choice)

    def _take(self, choice: dict[str, Any]) -> None:
        said = choice.get("delta") or (None if self._parts else choice.get("message"))
        said = said if isinstance(said, dict) else {"content": None if self._parts else choice.get("text")}
        text, thought = text_of(said.get("content")), said.get("reasoning_content") or said.get("reasoning")
        if isinstance(refusal := said.get("refusal"), str):
            self._refusal += refusal
        if not text:
            text = arguments_of(said.get("tool_calls"))
        if text or thought:
            self._tokens += 1
            self._emit(text)
        if isinstance(reason := choice.get("finish_reason"), str) and reason:
            self.reason = reason.lower()

    def _emit(self, text: str) -> None:
        """Halves of a character that two chunks bring are one; a half alone is none."""
        text = self._half + text
        self._half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        text = whole_characters(text.removesuffix(self._half) if self._half else text)
        if text:
            self._parts.append(text)
        self._on_text(text, self._tokens)

    @property
    def text(self) -> str:
        """What has come."""
        return "".join(self._parts)

    @property
    def ended(self) -> bool:
        """Whether the server says that this is all."""
        return self.reason is not None or self.done

    def written(self, call: Call) -> Completion:
        """All of it. Raises EngineFailed when it broke off or was withheld.

        Triton's front end says `stop` of an answer that was cut off too: the count of its tokens tells.
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
    """Tokens of the prompt: exact where the engine has a tokenizer, else about."""
    if call.prompt_ids is not None:
        return len(call.prompt_ids)
    return len((call.system + call.user).encode(errors="replace")) // BYTES_PER_TOKEN


def text_of(content: Any) -> str:
    """The text of a message's content: a text, or a list of parts of which some are text."""
    if isinstance(content, str):
        return content
    parts = [content] if isinstance(content, dict) else _list(content)
    return "".join(part if isinstance(part, str) else _text_of_part(part) for part in parts)


def _text_of_part(part: Any) -> str:
    if not isinstance(part, dict) or not isinstance(part.get("text"), str):
        return ""
    return str(part["text"]) if part.get("type") in TEXTS else ""


def arguments_of(tool_calls: Any) -> str:
    """What the first tool is called with: the answer, where the schema was asked for as a tool's."""
    for one in _list(tool_calls):
        if isinstance(one, dict) and not one.get("index") and isinstance(one.get("function"), dict):
            arguments = one["function"].get("arguments")
            return arguments if isinstance(arguments, str) else ""
    return ""


def whole_characters(text: str) -> str:
    """Pairs of surrogates as the characters that they are, single ones replaced."""
    if not SURROGATES.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _count(counts: dict[str, Any], name: str) -> int | None:
    """A count that makes sense, also as a text; else None."""
    value = counts.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return int(number) if math.isfinite(number) and 0 <= number <= MOST_TOKENS else None
