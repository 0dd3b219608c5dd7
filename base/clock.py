"""The database's clock in statements: hosts' clocks decide nothing."""

from __future__ import annotations

from sqlalchemy import func

NOW = func.clock_timestamp()
"""The moment itself: what is written, and whether a lease is live, also after a wait for a lock."""
STATEMENT_NOW = func.statement_timestamp()
"""When the statement began: one value for all of it, so that an index finds what is due by then.
A condition on `NOW` has to be computed for every row."""
