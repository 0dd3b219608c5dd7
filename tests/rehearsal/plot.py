"""The picture of a rehearsal: the jobs above, the workers below, over the same time."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.rehearsal.scaling import Rehearsed, Series

QUEUED, RUNNING, DESIRED, REPLICAS, LIVE = "#c44e52", "#8c8c8c", "#dd8452", "#1f3b70", "#55a868"


def draw(seen: Rehearsed, path: Path) -> None:
    """Write a PNG."""
    figure = Figure(figsize=(9, 5.5), dpi=110, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    _steps(above, seen.series["queued"], QUEUED, "waiting")
    _steps(above, seen.series["running"], RUNNING, "running")
    above.set_ylabel("jobs")
    above.set_title(f"{seen.jobs} jobs, from no worker to {seen.peak('live'):.0f} and back", loc="left")
    _steps(below, seen.series["desired"], DESIRED, "til_workers_desired")
    _steps(below, seen.series["replicas"], REPLICAS, "replicas, as the scaler decides")
    _steps(below, seen.series["live"], LIVE, "live workers")
    below.set_ylabel("workers")
    below.set_xlabel("seconds")
    for axes in (above, below):
        axes.set_xlim(0, seen.seconds)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(loc="upper right", frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _steps(axes: Axes, series: Series, colour: str, label: str) -> None:
    """A value holds until the next one."""
    axes.step(
        [at for at, _ in series], [value for _, value in series], where="post", color=colour, label=label
    )
