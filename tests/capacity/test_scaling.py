"""The desired number of workers: the pure function, its moving averages and its peaks."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity.model_depth import ModelDepth
from capacity.rates import QUIET_SECONDS, Observed, Rates, next_rates, with_need
from capacity.scaling import ScalingSettings, desired_workers, needed_workers

WIDE = ScalingSettings(workers_max=10**18)
counts = st.integers(0, 10**5)
depths = st.builds(
    ModelDepth,
    queued=counts,
    running=st.integers(0, 10**4),
    later=counts,
    tokens_per_job=st.none() | st.floats(1, 1e6),
)
rates = st.builds(
    Rates,
    arrivals_per_second=st.just(0.0) | st.floats(1e-6, 1e3),
    tokens_per_job=st.none() | st.floats(1, 1e6),
    run_seconds=st.none() | st.floats(0, 1e4),
    run_tokens=st.none() | st.floats(1, 1e6),
    slots_per_worker=st.none() | st.floats(1, 500),
    peaks=st.lists(st.tuples(st.floats(0, 300), st.integers(0, 50)), max_size=3).map(tuple),
)
settings = st.builds(
    ScalingSettings,
    st.floats(0, 3600),
    st.floats(1, 3600),
    st.floats(0.1, 1),
    st.integers(1, 500),
    st.floats(0, 3600),
    st.integers(0, 5),
    st.integers(0, 100),
)


@given(depths, rates, settings, counts)
def test_more_jobs_never_need_fewer_workers(d: ModelDepth, r: Rates, s: ScalingSettings, more: int) -> None:
    before = desired_workers(d, r, s)
    assert desired_workers(replace(d, queued=d.queued + more), r, s) >= before
    assert desired_workers(replace(d, running=d.running + more), r, s) >= before


@given(depths, rates, st.floats(0, 100))
def test_more_arrivals_never_need_fewer_workers(d: ModelDepth, r: Rates, more: float) -> None:
    faster = replace(r, arrivals_per_second=r.arrivals_per_second + more)
    assert desired_workers(d, faster, WIDE) >= desired_workers(d, r, WIDE)


@given(depths, rates, settings)
def test_the_number_is_within_the_bounds_unless_running_jobs_need_more(
    d: ModelDepth, r: Rates, s: ScalingSettings
) -> None:
    running = math.ceil(d.running / (r.slots_per_worker or s.slots_per_worker))
    desired = desired_workers(d, r, s)
    assert desired >= running
    assert min(s.workers_min, s.workers_max) <= desired <= max(s.workers_max, running)


@given(depths, rates)
def test_no_load_needs_no_worker_and_any_load_at_least_one(d: ModelDepth, r: Rates) -> None:
    idle = not (d.due or d.running or r.arrivals_per_second)
    assert (needed_workers(d, r, WIDE) == 0) == idle
    assert desired_workers(d, replace(r, peaks=()), WIDE) == needed_workers(d, r, WIDE)


def test_the_formula_of_the_design() -> None:
    """0.9 jobs/s of 10 s keep 9 slots busy; 600 queued and 162 coming jobs keep 25.4 busy for 300 s."""
    measured = Rates(arrivals_per_second=0.9, tokens_per_job=4000, run_seconds=10.0, run_tokens=4000)
    assert needed_workers(ModelDepth(queued=600), measured, WIDE) == math.ceil((9 + 25.4) / 24) == 2
    assert needed_workers(ModelDepth(queued=6000), measured, WIDE) == math.ceil((9 + 205.4) / 24) == 9
    assert needed_workers(ModelDepth(queued=1, running=301), measured, WIDE) == 11


def test_jobs_of_more_tokens_take_longer() -> None:
    measured = Rates(run_seconds=10.0, run_tokens=4000)
    small, large = (ModelDepth(queued=3000, tokens_per_job=tokens) for tokens in (2000.0, 8000.0))
    assert needed_workers(small, measured, WIDE) == math.ceil(50 / 24)
    assert needed_workers(large, measured, WIDE) == math.ceil(200 / 24)


def test_a_job_that_is_due_after_a_cold_start_needs_no_worker() -> None:
    assert needed_workers(ModelDepth(queued=5, later=5), Rates(), WIDE) == 0
    assert needed_workers(ModelDepth(queued=6, later=5), Rates(), WIDE) == 1


def follow(needs: list[int], every_seconds: float, scale_in_seconds: float = 300.0) -> list[int]:
    """The peak after each of these needs."""
    state, peaks = Rates(), []
    for need in needs:
        state = with_need(state, need, every_seconds, scale_in_seconds)
        peaks.append(state.peak)
    return peaks


def test_the_peak_rises_at_once_and_falls_after_the_stabilisation_window() -> None:
    peaks = follow([1, 5] + [2] * 400, 1.0)
    assert peaks[:2] == [1, 5]
    lasted = peaks.index(2)
    assert 300 <= lasted - 1 <= 320
    assert set(peaks[lasted:]) == {2}


@given(st.lists(st.integers(0, 20), min_size=1, max_size=200), st.sampled_from([0.1, 1.0, 7.0, 40.0]))
def test_the_peak_is_the_most_that_was_needed_in_the_window(needs: list[int], every: float) -> None:
    peaks = follow(needs, every, 100.0)
    for at, answer in enumerate(peaks):
        since = [need for n, need in enumerate(needs[: at + 1]) if (at - n) * every < 100]
        before = [need for n, need in enumerate(needs[: at + 1]) if (at - n) * every <= 106]
        assert max(since) <= answer <= max(before)


def test_the_state_stays_small_and_can_be_read_back() -> None:
    state = Rates(1.5, 0.0, 4096.0, 9.5, 4000.0, 30.0)
    for need in range(5000, 0, -1):
        state = with_need(state, need, 0.5, 300.0)
    assert len(state.peaks) <= 22
    assert Rates.read(json.loads(json.dumps(state.stored()))) == state
    assert Rates.read({"not_known": 1}) == Rates()


def stream(per_second: float, seconds: int, seed: int) -> list[int]:
    """Arrivals in each second, of a Poisson stream."""
    drawn, arrivals, at = random.Random(seed), [0] * seconds, 0.0
    while (at := at + drawn.expovariate(per_second)) < seconds:
        arrivals[int(at)] += 1
    return arrivals


@pytest.mark.parametrize("seed", range(5))
def test_the_rate_of_arrivals_is_right_and_noise_causes_no_flapping(seed: int) -> None:
    """3 jobs/s of 10 s need 48 slots, just two workers' share, so that noise needs two or three in turn."""
    measured = Rates(run_seconds=10.0, run_tokens=4096)
    needed, peaks, found = [], [], []
    for arrived in stream(3.0, 4800, seed):
        measured = next_rates(measured, Observed(arrived, 4096 * arrived), 1.0, 30)
        needed.append(needed_workers(ModelDepth(), measured, WIDE))
        measured = with_need(measured, needed[-1], 1.0, 300.0)
        peaks.append(desired_workers(ModelDepth(), measured, WIDE))
        found.append(measured.arrivals_per_second)
    assert sum(found[1200:]) / 3600 == pytest.approx(3.0, rel=0.05)
    assert changes(needed[1200:]) > 20
    assert changes(peaks[1200:]) <= 4
    assert set(peaks[1200:]) <= {2, 3}


def changes(numbers: list[int]) -> int:
    """How often a number differs from the previous one."""
    return sum(a != b for a, b in pairwise(numbers))


def test_the_rate_is_zero_after_a_minute_without_an_arrival() -> None:
    measured = next_rates(Rates(), Observed(arrived=600), 60.0, None)
    assert measured.arrivals_per_second > 1
    for _ in range(int(QUIET_SECONDS) - 1):
        measured = next_rates(measured, Observed(), 1.0, None)
    assert measured.arrivals_per_second > 0
    assert next_rates(measured, Observed(), 1.0, None).arrivals_per_second == 0


@given(rates, st.floats(0, 1e5), st.floats(0, 1e4))
def test_rates_stay_finite(r: Rates, elapsed: float, arrived: float) -> None:
    after = next_rates(r, Observed(arrived, arrived * 100, 3, 30.0, 300.0), elapsed, None)
    assert 0 <= after.arrivals_per_second < math.inf
    assert after.slots_per_worker == r.slots_per_worker
    assert after.run_seconds is not None
    assert after.run_seconds >= 0


def test_seconds_per_token_follow_the_latest_runs() -> None:
    measured = Rates()
    assert measured.service_seconds(8192) == 20.0
    measured = next_rates(measured, Observed(succeeded=10, run_seconds=50.0, run_tokens=10_000), 1.0, None)
    assert measured.service_seconds(2000) == pytest.approx(10.0)
    slower = next_rates(measured, Observed(succeeded=50, run_seconds=500.0, run_tokens=50_000), 1.0, None)
    assert slower.service_seconds(1000) == pytest.approx(7.5)
