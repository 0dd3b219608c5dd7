"""The `Retry-After` header (RFC 9110, 10.2.3). Pure."""

from __future__ import annotations

import datetime
from email.utils import parsedate_to_datetime

LONGEST_RETRY_AFTER_SECONDS = 86_400


def retry_after_seconds(value: str | None, now: datetime.datetime) -> float:
    """The seconds of a `Retry-After` header: 0 if it is missing or invalid, at most a day."""
    if not value:
        return 0.0
    if value.strip().isdecimal() and value.isascii():
        return float(min(int(value.strip()[:9]), LONGEST_RETRY_AFTER_SECONDS))
    try:
        date = parsedate_to_datetime(value)
        date = date if date.tzinfo else date.replace(tzinfo=datetime.UTC)
        seconds = (date - now).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return min(max(0.0, seconds), float(LONGEST_RETRY_AFTER_SECONDS))
