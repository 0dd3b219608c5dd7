"""The bench over its whole list of days, with the tiny model's tokenizer."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path
from statistics import median

import pytest

from tests.bench.days import ROOT, HistoryMissing, all_days, history
from tests.bench.pipelines import CONTEXT, Measured
from tests.bench.tokens import CAPS, EXPECTED, HALF, Rule, bench, by_day, gains, summary


@pytest.fixture(scope="module")
def days(tiny_model: Path) -> list[Measured]:
    return bench(tiny_model)


def test_the_list_is_fixed_and_has_days_of_every_kind(days: list[Measured]) -> None:
    kinds = Counter(day.day.kind for day in days)
    assert len(days) >= 20
    assert kinds["history"] >= 12
    assert kinds["1 file"] + kinds["5 files"] + kinds["20 files"] >= 12
    assert [day.day for day in days] == all_days()
    for day in days:
        if day.day.kind != "history":
            assert day.day.kind.split()[0] == str(len(day.files))


def test_the_usual_pipeline_asks_twice_a_file_and_twice_more_in_four_stages(days: list[Measured]) -> None:
    for day in days:
        stages = day.usual(1)
        assert [len(stage.calls) for stage in stages] == [len(day.files), len(day.files), 1, 1]


def test_ours_is_one_call_where_the_day_fits_and_else_one_more_than_its_parts(days: list[Measured]) -> None:
    fit = [day for day in days if day.prompt is not None]
    assert {day.day.kind for day in fit} >= {"history", "1 file", "5 files"}
    assert {day.day.kind for day in days if day not in fit} >= {"history", "20 files"}
    for day in days:
        calls = [len(stage.calls) for stage in day.ours(1)]
        assert calls == ([1] if day in fit else [len(day.parts), 1])


def test_no_call_is_larger_than_the_context(days: list[Measured]) -> None:
    for day in days:
        for stage in (*day.usual(1), *day.ours(1)):
            assert max(call.prompt_tokens + call.output_tokens for call in stage.calls) <= CONTEXT


@pytest.mark.parametrize("rule", [CAPS, HALF], ids=str)
def test_a_gpu_writes_at_least_three_times_as_many_posts(days: list[Measured], rule: Rule) -> None:
    assert median(gains(days, rule)) >= EXPECTED


def test_every_day_has_a_row(days: list[Measured]) -> None:
    assert by_day(days).row_count == len(days)
    assert summary(days).row_count == 3 * 5


def test_a_shallow_clone_is_told_how_to_get_the_history(tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{ROOT}", tmp_path / "clone"], check=True)
    with pytest.raises(HistoryMissing, match="git fetch --unshallow"):
        history(tmp_path / "clone")
