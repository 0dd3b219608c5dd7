"""Helpers of the migrations: run several statements; make and drop indexes concurrently."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from alembic import op
from sqlalchemy import text

NO_TIMEOUT, USUAL_TIMEOUT = "SET transaction_timeout = 0", "RESET transaction_timeout"
"""An index on a large table may take longer than the role's limit of a transaction."""
IS_INVALID = text("SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")


def run(*parts: str) -> None:
    """Execute every statement of these texts in the current migration."""
    for part in parts:
        for statement in statements(part):
            op.execute(statement)


def statements(part: str) -> list[str]:
    """Split at semicolons that end a line, outside of `$$` bodies: asyncpg takes one statement at a time."""
    found, inside = [""], False
    for line in part.strip().splitlines():
        found[-1] += line + "\n"
        inside ^= line.count("$$") % 2 == 1
        if line.endswith(";") and not inside:
            found.append("")
    return [statement for statement in found if statement.strip()]


def make_indexes(indexes: Mapping[str, str]) -> None:
    """Make each index concurrently. `indexes`: by name, the table, columns and condition.

    This runs outside of a transaction, so it may fail halfway and leave an invalid index. The next run drops
    that one and makes what is missing.
    """
    with op.get_context().autocommit_block():
        op.execute(NO_TIMEOUT)
        for name, definition in indexes.items():
            if op.get_bind().scalar(IS_INVALID, {"name": name}):
                op.execute(f"DROP INDEX CONCURRENTLY {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {definition}")
        op.execute(USUAL_TIMEOUT)


def drop_indexes(names: Iterable[str]) -> None:
    """Drop these indexes concurrently."""
    with op.get_context().autocommit_block():
        for name in names:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
