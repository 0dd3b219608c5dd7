"""The address of a database, as its drivers want it."""

from __future__ import annotations

from sqlalchemy.engine import make_url


def without_driver(url: str) -> str:
    """`postgresql://...`, for asyncpg and others that are not used through SQLAlchemy."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
