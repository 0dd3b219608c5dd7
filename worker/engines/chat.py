"""Tokenizes chat messages with a model's own tokenizer and chat template. Thread-safe."""

from __future__ import annotations

import re
from typing import Any

from worker.engines import Encoded


class ChatTokenizer:
    """`tokenizer` is that of transformers, with the model's chat template."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._backend = getattr(tokenizer, "backend_tokenizer", None)
        if self._backend is not None:
            self._backend.no_truncation()
            self._backend.no_padding()
        self._special = special_tokens(tokenizer)
        self._empty: dict[str, Encoded] = {}

    def encode(self, system: str, user: str) -> Encoded:
        """The prompt exactly as the model gets it. Prompts with an empty user message are cached."""
        if user:
            return self._encode(system, user)
        if system not in self._empty:
            self._empty[system] = self._encode(system, user)
        return self._empty[system]

    def _encode(self, system: str, user: str) -> Encoded:
        messages = [
            {"role": "system", "content": self._without_control_tokens(system)},
            {"role": "user", "content": self._without_control_tokens(user)},
        ]
        ids = self._ids(
            self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        )
        return Encoded(len(ids), ids)

    def _ids(self, text: str) -> list[int]:
        """As `apply_chat_template` with tokenization, which takes twice as long for offsets and masks."""
        if self._backend is None:
            return list(self._tokenizer(text, add_special_tokens=False).input_ids)
        ids: list[int] = self._backend.encode_batch_fast([text], add_special_tokens=False)[0].ids
        return ids

    def _without_control_tokens(self, text: str) -> str:
        """The text with spellings of control tokens broken up: so a commit can't end the user's turn."""
        return (
            self._special.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text) if self._special else text
        )


def special_tokens(tokenizer: Any) -> re.Pattern[str] | None:
    """Matches the texts of the model's control tokens; None if it has none."""
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    texts = {str(token.content) for token in added if token.special and len(token.content) > 1}
    longest_first = sorted(texts, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if texts else None
