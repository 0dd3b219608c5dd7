"""The outline's phrases in each language (`*.toml` here), with `{...}` for facts."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from til.request import Language

Table = dict[str, str | list[str]]


@cache
def phrases(language: Language) -> Table:
    """The phrases by name; a pair is singular and plural."""
    return tomllib.loads(files("worker.engines.outline").joinpath(f"{language}.toml").read_text("utf-8"))


class Say:
    """The phrases of one language."""

    def __init__(self, language: Language) -> None:
        self._table = phrases(language)

    def __call__(self, phrase: str, **facts: Any) -> str:
        """The phrase with its facts filled in; `n` chooses singular or plural."""
        forms = self._table[phrase]
        form = forms if isinstance(forms, str) else forms[facts["n"] != 1]
        return form.format(**facts)

    def joined(self, items: Sequence[str]) -> str:
        """The items as a list in words: `a, b and c`."""
        comma, last = self("comma"), self("and")
        return last.join([*([comma.join(items[:-1])] if items[:-1] else []), *items[-1:]])

    def lines(self, added: int, removed: int) -> str:
        """The numbers of added and removed lines in words."""
        if added and removed:
            return self("added_removed", added=self("added", n=added), removed=removed)
        if added or removed:
            return self("added", n=added) if added else self("removed", n=removed)
        return self("no_lines")
