"""Tables of forms in which secrets stand: a text with `{}`, its file, and the kind that is to be found."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.til.secrets_corpus import ALNUM, DIGITS, DRAW, HEX, SEED, URLSAFE, Case, draw, found

Row = tuple[str, str, str]
"""A text in which `{}` is the secret, the file's path, the kind."""
NOUNS = ("harbour", "lantern", "meadow", "glacier", "walnut", "falcon", "copper", "thunder")


def _noun() -> str:
    return DRAW.choice(NOUNS)


PASSWORDS: tuple[Callable[[], str], ...] = (
    lambda: draw(ALNUM, 14),
    lambda: f"{draw(ALNUM, 5)}!{draw(ALNUM, 4)}~{draw(ALNUM, 3)}",
    lambda: f"{_noun().title()}{draw(DIGITS, 4)}!",
    lambda: _noun() + draw(DIGITS, 3),
)
KEYS: tuple[Callable[[], str], ...] = (
    lambda: draw(ALNUM, 32),
    lambda: draw(HEX, 40),
    lambda: draw(ALNUM, 20) + "-" + draw(URLSAFE, 18) + "7",
)
"""What is drawn in turn."""


def cases(rows: Iterable[Row], number: int) -> list[Case]:
    """Each row with a value of its own, the same in each run."""
    DRAW.seed(SEED + number)
    return [
        found(kind, text, (makers := PASSWORDS if kind == "password" else KEYS)[n % len(makers)](), path)
        for n, (text, path, kind) in enumerate(rows)
    ]
