"""SQL text as single statements."""

from __future__ import annotations

from alembic import op


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
