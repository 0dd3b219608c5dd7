"""The roofline model: values worked out by hand, and that more work never takes less time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.roofline import (
    SLOTS,
    Call,
    Stage,
    batch,
    call_seconds,
    gpu_seconds,
    kv_bytes,
    post_seconds,
    posts_per_hour,
    sequences,
)

MIB = 2**20
CALL = Call(1536, 1024)
"""A context of 2,048 tokens in the middle, of which 26 fit.

Prefill: 2 * 10.76e9 * 1536 / 60e12 = 0.550912 s. A token: 7.56e9 / 26 = 290,769,231 bytes of weights and
448 MiB = 469,762,048 bytes of KV cache, together 3.168880 ms at 240 GB/s, and 2 / 26 = 0.076923 ms of the
step; 1,024 of them: 3.323702 s.
"""
CALL_SECONDS = 0.550912 + 3.323702
TOKENS = st.integers(0, 100_000)


def test_a_prompt_costs_arithmetic_alone() -> None:
    assert gpu_seconds(Call(1000, 0)) == pytest.approx(0.358667, abs=1e-6)


@pytest.mark.parametrize(("tokens", "held"), [(0, 0), (512, 192), (1024, 384), (2048, 448), (8192, 832)])
def test_the_local_layers_hold_a_window_and_the_global_ones_everything(tokens: int, held: int) -> None:
    assert kv_bytes(tokens) == held * MIB


@pytest.mark.parametrize(("tokens", "said"), [(1024, 31), (2048, 26), (4096, 21), (8192, 14)])
def test_the_cache_of_an_l4_holds_what_vllm_plans(tokens: int, said: int) -> None:
    assert abs(sequences(tokens) - said) <= 1


def test_a_call_takes_its_prefill_and_its_steps() -> None:
    assert (CALL.context_tokens, batch(CALL)) == (2048, 26)
    assert gpu_seconds(CALL) == pytest.approx(CALL_SECONDS, abs=1e-5)
    assert call_seconds(CALL) == pytest.approx(26 * CALL_SECONDS, abs=1e-3)


def test_no_more_calls_at_once_than_slots_and_no_fewer_than_one() -> None:
    assert batch(Call(1, 1)) == SLOTS
    assert batch(Call(10**9, 1)) == 1


def test_a_post_takes_the_gpu_for_all_of_its_calls() -> None:
    post = [Stage([CALL, CALL]), Stage([CALL])]
    assert posts_per_hour(post) == pytest.approx(3600 / (3 * CALL_SECONDS), rel=1e-5)


def test_a_stage_lasts_as_long_as_the_slowest_call_of_each_of_its_rounds() -> None:
    short, one, other = Call(10, 10), call_seconds(CALL), call_seconds(Call(10, 10))
    assert post_seconds([Stage([short, CALL])]) == pytest.approx(one)
    assert post_seconds([Stage([short, CALL]), Stage([short])]) == pytest.approx(one + other)
    assert post_seconds([Stage([CALL, short, CALL, short, short], at_once=2)]) == pytest.approx(
        one + 2 * other
    )


@given(TOKENS, TOKENS, st.integers(1, 1000))
def test_more_tokens_take_more_time(prompt: int, output: int, more: int) -> None:
    seconds = gpu_seconds(Call(prompt, output))
    assert gpu_seconds(Call(prompt + more, output)) > seconds
    assert gpu_seconds(Call(prompt, output + more)) > seconds


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_longer_sequences_leave_room_for_fewer(one: float, other: float) -> None:
    short, long = sorted((one, other))
    assert kv_bytes(short) <= kv_bytes(long)
    assert sequences(short) >= sequences(long) >= 1
