"""The database's clock, for use in statements: no decision depends on a host's clock."""

from __future__ import annotations

from sqlalchemy import func

NOW = func.clock_timestamp()
"""The time at which it is evaluated. For stored times and for checks of a lease: it stays right when the
statement has waited for a lock."""
STATEMENT_NOW = func.statement_timestamp()
"""The time at which the statement began. It is constant within the statement, so that an index can find the
rows that are due; a condition on `NOW` is computed for every row."""
