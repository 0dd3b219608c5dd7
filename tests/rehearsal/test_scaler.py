"""The scaler decides as KEDA and an HPA would."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.rehearsal.scaler import Scaler, read

SPEC: dict[str, Any] = {
    "pollingInterval": 15,
    "cooldownPeriod": 900,
    "minReplicaCount": 0,
    "maxReplicaCount": 8,
    "fallback": {"failureThreshold": 4, "replicas": 1, "behavior": "currentReplicasIfHigher"},
    "advanced": {
        "horizontalPodAutoscalerConfig": {
            "behavior": {
                "scaleUp": {
                    "stabilizationWindowSeconds": 0,
                    "selectPolicy": "Max",
                    "policies": [
                        {"type": "Percent", "value": 100, "periodSeconds": 60},
                        {"type": "Pods", "value": 4, "periodSeconds": 60},
                    ],
                },
                "scaleDown": {
                    "stabilizationWindowSeconds": 600,
                    "selectPolicy": "Min",
                    "policies": [{"type": "Pods", "value": 1, "periodSeconds": 300}],
                },
            }
        }
    },
    "triggers": [
        {
            "type": "prometheus",
            "metricType": "AverageValue",
            "metadata": {
                "query": "q",
                "threshold": "1",
                "activationThreshold": "0",
                "ignoreNullValues": "false",
            },
        }
    ],
}


def scaler(**more: Any) -> Scaler:
    return Scaler(read(SPEC | more))


def polls(one: Scaler, answers: dict[float, float | None]) -> list[int]:
    """The replicas after each poll, by its time."""
    return [one.poll(at, answer) for at, answer in answers.items()]


def test_nobody_runs_until_the_signal_is_above_zero_and_then_one_before_many() -> None:
    assert polls(scaler(), {0: 0, 15: 0, 30: 3, 45: 3}) == [0, 0, 1, 3]


def test_scale_out_keeps_to_the_policies_and_the_most_replicas() -> None:
    answers: dict[float, float | None] = {0: 20, 15: 20, 30: 20, 60: 20, 90: 20}
    assert polls(scaler(), answers) == [1, 5, 5, 5, 8]


def test_scale_in_waits_for_the_window_and_goes_one_by_one() -> None:
    one = scaler(minReplicaCount=1)
    assert polls(one, {0: 4, 15: 4, 30: 1, 600: 1, 615: 1, 630: 1}) == [4, 4, 4, 4, 4, 3]
    assert polls(one, {915: 1, 930: 1, 1230: 1, 1530: 1}) == [3, 2, 1, 1]


def test_a_peak_within_the_window_keeps_its_workers() -> None:
    assert polls(scaler(minReplicaCount=1), {0: 3, 300: 1, 500: 3, 900: 1, 1100: 1, 1101: 1}) == [
        3,
        3,
        3,
        3,
        3,
        2,
    ]


def test_all_end_once_nothing_was_wanted_for_the_cooldown() -> None:
    one = scaler()
    assert polls(one, {0: 2, 15: 2, 30: 0, 915: 0, 916: 0, 930: 0}) == [1, 2, 2, 1, 0, 0]
    assert polls(one, {945: 5, 960: 5}) == [1, 5]


def test_a_missing_answer_ends_nobody_and_wakes_nobody() -> None:
    one = scaler()
    assert polls(one, dict.fromkeys(range(0, 90, 15))) == [0] * 6
    assert polls(one, {90: 3, 105: 3}) == [1, 3]
    assert polls(one, {at: None for at in range(120, 9000, 15)}) == [3] * 592


def test_after_enough_missing_answers_the_fallback_is_the_least() -> None:
    spec = copy.deepcopy(SPEC)
    spec["fallback"]["replicas"] = 2
    one = Scaler(read(spec))
    assert polls(one, {0: 1, 15: None, 30: None, 45: None, 60: None}) == [1, 1, 1, 1, 2]


def test_what_the_rehearsal_does_not_follow_is_refused() -> None:
    spec = copy.deepcopy(SPEC)
    spec["triggers"][0]["metadata"]["ignoreNullValues"] = "true"
    with pytest.raises(ValueError, match="does not know"):
        read(spec)
