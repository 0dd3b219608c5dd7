"""The depth of the queue by model, and an index to count each model's queued jobs and find the oldest.

`jobs_queued_age` stays, because stewards of the previous version use it.
"""

from __future__ import annotations

from migrations.statements import drop_indexes, make_indexes, run

revision = "0010"
down_revision = "0009"

UP = """
SET LOCAL lock_timeout = '5s';
ALTER TABLE figures ADD COLUMN IF NOT EXISTS models jsonb NOT NULL DEFAULT '{}';
"""
INDEXES = {"jobs_queued_by_model": "jobs (model, created_at) WHERE status = 'queued'"}


def upgrade() -> None:
    run(UP)
    make_indexes(INDEXES)


def downgrade() -> None:
    drop_indexes(INDEXES)
    run("ALTER TABLE figures DROP COLUMN IF EXISTS models")
