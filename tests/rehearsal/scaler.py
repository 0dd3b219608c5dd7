"""How many workers KEDA and the HPA that it makes would run. Pure: the time is an argument.

KEDA's part: from none to one as soon as the query's answer is above the activation threshold, to none once it
has not been for `cooldownPeriod`. The HPA's part, from one on: as many as the answer says, at most as fast as
the policies allow, and down only to the most that was wanted within the stabilization window.
https://keda.sh/docs/latest/concepts/scaling-deployments/,
https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/#configurable-scaling-behavior
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Policy:
    """So many pods, or so many percent of the pods, in a period."""

    percent: bool
    value: int
    period_seconds: float


@dataclass(frozen=True)
class Speed:
    """One direction of an HPA's behavior. `most`: the policy that allows the most counts, else the least."""

    window_seconds: float
    policies: tuple[Policy, ...]
    most: bool


@dataclass(frozen=True)
class Target:
    """What a ScaledObject says. Times in seconds."""

    query: str
    threshold: float
    activation: float
    least: int
    most: int
    polling_seconds: float
    cooldown_seconds: float
    failures: int
    fallback: int
    up: Speed
    down: Speed


def read(spec: Mapping[str, Any]) -> Target:
    """From the `spec` of a ScaledObject with one Prometheus trigger. ValueError: not followed here."""
    (trigger,) = spec["triggers"]
    told, fallback = trigger["metadata"], spec["fallback"]
    kind = (trigger["type"], trigger["metricType"], told["ignoreNullValues"], fallback["behavior"])
    if kind != ("prometheus", "AverageValue", "false", "currentReplicasIfHigher"):
        raise ValueError(f"the rehearsal does not know {kind}")
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    return Target(
        query=told["query"],
        threshold=float(told["threshold"]),
        activation=float(told["activationThreshold"]),
        least=spec["minReplicaCount"],
        most=spec["maxReplicaCount"],
        polling_seconds=spec["pollingInterval"],
        cooldown_seconds=spec["cooldownPeriod"],
        failures=fallback["failureThreshold"],
        fallback=fallback["replicas"],
        up=_speed(behavior["scaleUp"]),
        down=_speed(behavior["scaleDown"]),
    )


def _speed(told: Mapping[str, Any]) -> Speed:
    policies = tuple(
        Policy(one["type"] == "Percent", one["value"], one["periodSeconds"]) for one in told["policies"]
    )
    return Speed(told["stabilizationWindowSeconds"], policies, told["selectPolicy"] == "Max")


class Scaler:
    """Decides at every poll; remembers what it needs of the polls before."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.replicas = target.least
        self._wanted: list[tuple[float, int]] = []
        self._changes: list[tuple[float, int]] = []
        self._active_at = -math.inf
        self._failures = 0

    def poll(self, now: float, answer: float | None) -> int:
        """The replicas to run from now on. `answer` None: the query had none, which changes nothing at 0."""
        self.replicas = self._decide(now, answer)
        return self.replicas

    def _decide(self, now: float, answer: float | None) -> int:
        if answer is None:
            self._failures += 1
            falls_back = self.replicas and self._failures >= self.target.failures
            return max(self.replicas, self.target.fallback) if falls_back else self.replicas
        self._failures = 0
        if answer > self.target.activation:
            self._active_at = now
        if self.target.least == 0:
            if self.replicas == 0:
                self._wanted.clear()
                return int(self._active_at == now)
            if now - self._active_at > self.target.cooldown_seconds:
                return 0
        followed = self._follow(now, answer)
        if followed != self.replicas:
            self._changes.append((now, followed - self.replicas))
        return followed

    def _follow(self, now: float, answer: float) -> int:
        """The HPA's part; it never goes below one."""
        target = self.target
        wanted = min(max(math.ceil(answer / target.threshold), target.least, 1), target.most)
        self._wanted.append((now, wanted))
        up = min(self._within(now, target.up.window_seconds))
        down = max(self._within(now, target.down.window_seconds))
        if up > self.replicas:
            return min(up, max(self.replicas, self._limit(now, target.up, 1)))
        if down < self.replicas:
            return max(down, min(self.replicas, self._limit(now, target.down, -1)))
        return self.replicas

    def _within(self, now: float, seconds: float) -> list[int]:
        """What was wanted in the last so many seconds, now included."""
        return [wanted for at, wanted in self._wanted if now - at <= seconds]

    def _limit(self, now: float, speed: Speed, sign: int) -> int:
        """How far the policies let the replicas go in this direction (`sign`)."""
        limits = []
        for policy in speed.policies:
            done = sum(n for at, n in self._changes if now - at < policy.period_seconds and n * sign > 0)
            began = self.replicas - done
            step = began * policy.value / 100 if policy.percent else policy.value
            limits.append(math.ceil(began + step) if sign > 0 else math.floor(began - step))
        farthest = speed.most == (sign > 0)
        return max(limits) if farthest else min(limits)
