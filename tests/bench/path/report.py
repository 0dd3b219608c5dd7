"""What the bench found: a table of medians, and a picture."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from rich.table import Table

from tests.bench.path.rounds import HUNDRED_MS, Round

OURS, OTHERS = "#1f3b70", "#b0b7c3"
MEASURES: dict[str, tuple[Callable[[Round], float | None], int]] = {
    "submits/s": (lambda one: one.submits_per_second, 0),
    "jobs/s, 0 ms engine": (lambda one: one.no_time.per_second if one.no_time else None, 0),
    "600 jobs of 100 ms, of ideal": (
        lambda one: one.hundred_ms.of_ideal(HUNDRED_MS) if one.hundred_ms else None,
        2,
    ),
    "idle, submit to result, ms": (lambda one: one.idle_ms, 1),
    "CPU ms a job": (lambda one: sum(one.no_time.cpu.values()) if one.no_time else None, 2),
}


def median(rounds: Sequence[Round], measure: str) -> float | None:
    """The median of a measure over rounds; None where it was not measured."""
    values = [found for one in rounds if (found := MEASURES[measure][0](one)) is not None]
    return statistics.median(values) if values else None


def table_of(done: Mapping[str, Sequence[Round]]) -> Table:
    """A row for each measure, a column for each side, then the CPU time of a job by process."""
    table = Table(title=f"Medians of {max(map(len, done.values()))} rounds", title_justify="left")
    for column in ("", *done):
        table.add_column(column, justify="right" if column else "left")
    for measure, (_, digits) in MEASURES.items():
        table.add_row(measure, *(_shown(median(rounds, measure), digits) for rounds in done.values()))
    if bare := median(done.get("bare", ()), "submits/s"):
        ratios = [(median(rounds, "submits/s") or 0) / bare for rounds in done.values()]
        table.add_row("submits, of bare", *(f"{ratio:.2f}" for ratio in ratios))
    table.add_section()
    for process in sorted({name for rounds in done.values() for one in rounds for name in _cpu(one)}):
        spent = [[_cpu(one)[process] for one in rounds if process in _cpu(one)] for rounds in done.values()]
        shown = [_shown(statistics.median(found) if found else None, 2) for found in spent]
        table.add_row(f"CPU ms a job: {process}", *shown)
    return table


def _cpu(one: Round) -> dict[str, float]:
    return one.no_time.cpu if one.no_time else {}


def _shown(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def draw(done: Mapping[str, Sequence[Round]], path: Path) -> None:
    """Write a PNG: a panel for each measure, a bar for each side."""
    figure = Figure(figsize=(13, 3.4), dpi=110, layout="constrained")
    for axes, (measure, (_, digits)) in zip(figure.subplots(1, len(MEASURES)), MEASURES.items(), strict=True):
        bars = {
            name: found for name, rounds in done.items() if (found := median(rounds, measure)) is not None
        }
        drawn = axes.barh(list(bars), list(bars.values()))
        for name, bar in zip(bars, drawn, strict=True):
            bar.set_color(OURS if name.startswith("ours") else OTHERS)
        axes.bar_label(drawn, [_shown(value, digits) for value in bars.values()], padding=3)
        axes.set_title(measure, loc="left", fontsize=10)
        axes.invert_yaxis()
        axes.margins(x=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
