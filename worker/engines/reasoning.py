"""The marks between which models write their reasoning before the answer; and skipping it."""

from __future__ import annotations

import re

REASONING_MARKS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel|>analysis", "<|end|>"),
    ("<|start|>assistant<|channel|>analysis", "<|end|>"),
)
"""Begin and end."""
BLANK = "\ufeff \t\r\n"
POST = re.compile(r'\{\s*"title"')
LONGEST_BEGIN = 64


class JsonStart:
    """Skips a streamed answer up to the beginning of the post's JSON."""

    def __init__(self) -> None:
        self._begun = False
        self._closer: str | None = None
        self._held = ""

    def feed(self, text: str) -> str:
        """The part of this text that belongs to the post's JSON or comes after it."""
        if self._begun:
            return text
        self._held = (self._held + text).lstrip(BLANK)
        while self._skip_reasoning():
            pass
        if self._closer or any(opener.startswith(self._held) for opener, _ in REASONING_MARKS):
            return ""
        found = POST.search(self._held)
        if found:
            self._begun = True
            return self._held[found.start() :]
        self._held = self._held[-LONGEST_BEGIN:]
        return ""

    def _skip_reasoning(self) -> bool:
        """Skip one mark or the reasoning after it. Returns whether a mark was passed."""
        if self._closer is None:
            marks = next((marks for marks in REASONING_MARKS if self._held.startswith(marks[0])), None)
            if marks:
                self._closer, self._held = marks[1], self._held[len(marks[0]) :]
            return marks is not None
        _, closer, rest = self._held.partition(self._closer)
        if closer:
            self._closer, self._held = None, rest.lstrip(BLANK)
        else:
            self._held = self._held[-LONGEST_BEGIN:]
        return bool(closer)
