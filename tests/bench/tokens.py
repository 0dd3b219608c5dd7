"""`make bench-tokens`: calls, tokens and posts per L4-hour of the usual pipeline and of ours, on fixed days.

Exit code 1 when the median gain is below `EXPECTED`, 2 when the days can't be read. TOKENIZER=<folder>: a
real model's tokenizer, with its chat template, instead of the tests' tiny one; CONTEXT: tokens, 8192.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table
from til_client.git import CollectError

from tests.bench.days import all_days
from tests.bench.pipelines import CONTEXT, Measured, Reader, measure
from tests.bench.roofline import Stage, post_seconds, posts_per_hour
from tests.tiny_model import build

EXPECTED = 3.0
COLUMNS = ("calls", "stages", "prompt", "output", "posts/h", "seconds")
CAPTION = """\
usual: per file a code summary (<= 1024) and a patch summary (<= 512), a draft (<= 2024), keywords (<= 256).
ours: one call (<= 2048); a day that does not fit: notes (<= 512) on each part, 4 at a time, then the post.
One rule for both: a call writes `fill` of its cap; what an earlier call wrote is read again at that size;
a prompt is cut to a context of {context:,} less the cap. posts/h: on a full L4, if all posts were like this
one; seconds: a post's latency there; both by the model in tests/bench/roofline.py. gain: ours by usual, in
posts/h."""
RULES = """\
fill 1: every call writes up to its cap. fill 0.5: half of it. The last rule is not judged: there the usual
pipeline is brief and ours is not, which shows how much of the gain hangs on the same fill."""
TINY = "Tokens of a vocabulary of 2,048: a text takes more of them than in a real model's, on both sides."


@dataclass(frozen=True)
class Rule:
    """How much of their caps the calls of both sides write; `judged`: counts for the exit code."""

    usual: float
    ours: float
    judged: bool = True

    def __str__(self) -> str:
        same = self.usual == self.ours
        return f"fill {self.usual:g}" if same else f"fill {self.usual:g}, ours {self.ours:g}"


CAPS, HALF, MIXED = Rule(1, 1), Rule(0.5, 0.5), Rule(0.5, 1, judged=False)
EVERY = (CAPS, HALF, MIXED)


def main() -> int:
    """Print both tables."""
    console = Console(width=130)
    folder, context = os.environ.get("TOKENIZER"), int(os.environ.get("CONTEXT") or CONTEXT)
    try:
        days = bench(Path(folder), context) if folder else bench_tiny(context)
    except CollectError as error:
        print(f"bench-tokens: {error}", file=sys.stderr)
        return 2
    console.print(by_day(days), summary(days))
    if not folder:
        print(TINY)
    worst = min(median(gains(days, rule)) for rule in EVERY if rule.judged)
    print(f"Median gain {worst:.1f} by the stricter rule of equal fill; expected {EXPECTED:g}.")
    return 0 if worst >= EXPECTED else 1


def bench_tiny(context: int) -> list[Measured]:
    """With the tests' tokenizer, which is trained anew."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory(prefix="til-bench-") as folder:
        return bench(build(Path(folder)), context)


def bench(tokenizer: Path, context: int = CONTEXT) -> list[Measured]:
    """All days in the tokens of the tokenizer in this folder. Raises CollectError."""
    reader = Reader(tokenizer, context)
    return [measure(day, reader) for day in all_days()]


def gains(days: Iterable[Measured], rule: Rule) -> list[float]:
    """Posts per hour of ours by those of the usual pipeline, of each day."""
    return [posts_per_hour(d.ours(rule.ours)) / posts_per_hour(d.usual(rule.usual)) for d in days]


def numbers(stages: list[Stage]) -> list[float]:
    """What `COLUMNS` names."""
    calls = [call for stage in stages for call in stage.calls]
    read, written = sum(c.prompt_tokens for c in calls), sum(c.output_tokens for c in calls)
    return [len(calls), len(stages), read, written, posts_per_hour(stages), post_seconds(stages)]


def by_day(days: list[Measured]) -> Table:
    """One row a day, at the caps; the gain at half of them beside it."""
    table = new_table("A post of each day, every call at its cap", "day", "files", "gain", "at half")
    table.caption = CAPTION.format(context=days[0].context)
    for day, full, half in zip(days, gains(days, CAPS), gains(days, HALF), strict=True):
        sides = [*numbers(day.usual(1)), *numbers(day.ours(1))]
        row = [day.day.name, str(len(day.files)), *(f"{n:,.0f}" for n in sides)]
        table.add_row(*row, f"{full:.1f}", f"{half:.1f}")
    return table


def summary(days: list[Measured]) -> Table:
    """Medians over all days and over each kind."""
    table = new_table("Medians", "rule, days", "n", "gain", "least-most")
    table.caption = RULES
    kinds = list(dict.fromkeys(day.day.kind for day in days))
    for rule in EVERY:
        for kind in ["all", *kinds]:
            chosen = [day for day in days if kind in ("all", day.day.kind)]
            usual = medians([day.usual(rule.usual) for day in chosen])
            ours = medians([day.ours(rule.ours) for day in chosen])
            found, name = gains(chosen, rule), f"{rule}: all" if kind == "all" else f"  {kind}"
            cells = [f"{n:,.0f}" for n in (*usual, *ours)]
            spread = f"{min(found):.1f}-{max(found):.1f}"
            table.add_row(name, str(len(chosen)), *cells, f"{median(found):.1f}", spread)
        table.add_section()
    return table


def medians(posts: list[list[Stage]]) -> list[float]:
    """Of each column by itself."""
    return [median(column) for column in zip(*map(numbers, posts), strict=True)]


def new_table(title: str, first: str, count: str, gain: str, last: str) -> Table:
    """Both sides' columns between these."""
    table = Table(title=title, title_justify="left", caption_justify="left", padding=(0, 0), pad_edge=False)
    table.add_column(first, no_wrap=True)
    table.add_column(count, justify="right")
    for side in ("usual", "ours"):
        for column in COLUMNS:
            table.add_column(f"{side}\n{column}", justify="right", style="bold" if side == "ours" else None)
    table.add_column(gain, justify="right")
    table.add_column(last, justify="right", no_wrap=True)
    return table


if __name__ == "__main__":
    sys.exit(main())
