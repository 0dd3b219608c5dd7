"""Since when the stewards have been seeing the database without a break."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE figures ADD COLUMN steady_since timestamptz NOT NULL DEFAULT clock_timestamp()")


def downgrade() -> None:
    op.execute("ALTER TABLE figures DROP COLUMN steady_since")
