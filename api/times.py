"""Times in requests."""

from __future__ import annotations

import datetime


def in_utc(time: datetime.datetime) -> datetime.datetime:
    """The same time in UTC; a time without a zone is UTC. Raises ValueError outside the years 1 to 9999."""
    try:
        return time.astimezone(datetime.UTC) if time.tzinfo else time.replace(tzinfo=datetime.UTC)
    except OverflowError as error:
        raise ValueError("beyond the years 1 to 9999 in UTC") from error
