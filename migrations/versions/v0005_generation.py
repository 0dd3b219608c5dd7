"""A job's size in tokens, for the claim; its prompt template and the job that it replays, for replays."""

from __future__ import annotations

from migrations.statements import run

revision = "0005"
down_revision = "0004"

UP = """
ALTER TABLE jobs ADD COLUMN tokens integer NOT NULL DEFAULT 4096
    CONSTRAINT jobs_tokens_check CHECK (tokens > 0),
    ADD COLUMN template text,
    ADD COLUMN replay_of uuid;
"""

DOWN = """
ALTER TABLE jobs DROP COLUMN tokens, DROP COLUMN template, DROP COLUMN replay_of;
"""


def upgrade() -> None:
    run(UP)


def downgrade() -> None:
    run(DOWN)
