"""figures.steady_since: since when the stewards have reached the database without interruption."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE figures ADD COLUMN steady_since timestamptz NOT NULL DEFAULT clock_timestamp()")


def downgrade() -> None:
    op.execute("ALTER TABLE figures DROP COLUMN steady_since")
