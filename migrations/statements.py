"""SQL text as single statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from alembic import op
from sqlalchemy import text

PATIENT, AS_BEFORE = "SET transaction_timeout = 0", "RESET transaction_timeout"
"""An index on a large table may take longer than any transaction should."""
UNFINISHED = text("SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")


def run(*parts: str) -> None:
    """Execute every statement of these texts, in the migration that is under way."""
    for part in parts:
        for statement in statements(part):
            op.execute(statement)


def statements(part: str) -> list[str]:
    """Split at the semicolons that end a line, outside `$$` bodies: asyncpg takes one statement a call."""
    found, inside = [""], False
    for line in part.strip().splitlines():
        found[-1] += line + "\n"
        inside ^= line.count("$$") % 2 == 1
        if line.endswith(";") and not inside:
            found.append("")
    return [statement for statement in found if statement.strip()]


def make_indexes(indexes: Mapping[str, str]) -> None:
    """Make each of these (its table, columns and condition by its name) while others read and write.

    Outside a transaction, so it may end halfway. Run again, it drops the index that was left unfinished, and
    makes what is missing.
    """
    with op.get_context().autocommit_block():
        op.execute(PATIENT)
        for name, definition in indexes.items():
            if op.get_bind().scalar(UNFINISHED, {"name": name}):
                op.execute(f"DROP INDEX CONCURRENTLY {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {definition}")
        op.execute(AS_BEFORE)


def drop_indexes(names: Iterable[str]) -> None:
    """Drop these while others read and write."""
    with op.get_context().autocommit_block():
        for name in names:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
