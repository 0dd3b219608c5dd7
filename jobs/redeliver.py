"""What to do after an attempt to deliver a webhook, decided purely."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from jobs.policy import SCHEDULE_SECONDS
from jobs.webhook import Attempt

LONGEST_RETRY_AFTER_SECONDS = 86_400


@dataclass(frozen=True)
class Again:
    """Try again after this many seconds."""

    after_seconds: float


@dataclass(frozen=True)
class Done:
    """No further attempt: `state` is `delivered` or `failed`."""

    state: str


def after_attempt(
    attempts: int,
    attempt: Attempt,
    draw: float,
    now: datetime.datetime,
    schedule_seconds: Sequence[float] = SCHEDULE_SECONDS,
) -> Again | Done:
    """Decide after an attempt with `attempts` before it; `draw` in [0, 1) spreads the schedule by +-20 %."""
    if attempt.delivered:
        return Done("delivered")
    if attempt.status == 410 or attempts >= len(schedule_seconds):
        return Done("failed")
    planned = schedule_seconds[attempts] * (0.8 + 0.4 * draw)
    return Again(max(planned, retry_after_seconds(attempt.retry_after, now)))


def retry_after_seconds(value: str | None, now: datetime.datetime) -> float:
    """Seconds that a `Retry-After` header asks for, 0 if it asks for nothing sensible, a day at the most."""
    if not value:
        return 0.0
    if value.strip().isdecimal() and value.isascii():
        return float(min(int(value.strip()[:9]), LONGEST_RETRY_AFTER_SECONDS))
    try:
        asked = parsedate_to_datetime(value)
        asked = asked if asked.tzinfo else asked.replace(tzinfo=datetime.UTC)
        seconds = (asked - now).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return min(max(0.0, seconds), float(LONGEST_RETRY_AFTER_SECONDS))
