"""What the engine bench found, as a table."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from rich.table import Table

from tests.bench.alternation import Round

NOTE = (
    "Steady: from when the engine is full until the last job begins. Same prompts and lengths on both sides."
)


def table_of(title: str, pair: tuple[str, str], rounds: Sequence[Round]) -> Table:
    """Each round and the medians of both sides, and the ratio of the second side to the first."""
    first, second = ([one for one in rounds if one.side == name] for name in pair)
    table = Table(title=title, title_justify="left", caption=NOTE, caption_justify="left")
    for column in ("", *pair, "ratio"):
        table.add_column(column, justify="right" if column else "left")
    for number, (one, other) in enumerate(zip(first, second, strict=True), 1):
        table.add_row(f"round {number}, steady tokens/s", *_ratio(one.speed.steady, other.speed.steady))
    table.add_section()

    def median(what: str, value: Callable[[Round], float], digits: int = 0) -> None:
        values = [statistics.median(map(value, side)) for side in (first, second)]
        table.add_row(what, *_ratio(values[0], values[1], digits))

    median("median, steady tokens/s", lambda one: one.speed.steady)
    median("tokens/s over the whole", lambda one: one.speed.whole)
    median("calls in flight, mean", lambda one: one.speed.in_flight, 2)
    table.add_section()
    for name in sorted({name for one in rounds for name in one.cpu}):
        shares = [_median_cpu(side, name) for side in (first, second)]
        table.add_row(f"CPU ms a 1,000 tokens: {name}", *shares, "")
    idle = [f"{statistics.median(one.idle for one in side):.1%}" for side in (first, second)]
    table.add_row("CPU of the other side meanwhile", *idle, "")
    return table


def _ratio(first: float, second: float, digits: int = 0) -> tuple[str, str, str]:
    return f"{first:,.{digits}f}", f"{second:,.{digits}f}", f"{second / first:.3f}"


def _median_cpu(side: Sequence[Round], name: str) -> str:
    found = [one.cpu[name] for one in side if name in one.cpu]
    return f"{statistics.median(found):,.1f}" if found else ""
