"""What the scaling signal remembers, and workers' starts until they are ready, or have failed.

Stewards of the version before write the other columns of `figures` and leave these as they are.
"""

from __future__ import annotations

from migrations.statements import drop_indexes, make_indexes, run

revision = "0011"
down_revision = "0010"

UP = """
SET LOCAL lock_timeout = '5s';
ALTER TABLE figures ADD COLUMN IF NOT EXISTS scaling jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS scaled_at timestamptz,
    ADD COLUMN IF NOT EXISTS seen_event_id bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS seen_finish timestamptz;
CREATE TABLE IF NOT EXISTS worker_starts (
    id uuid PRIMARY KEY,
    host text NOT NULL,
    model text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    why text,
    CONSTRAINT worker_starts_ended_check CHECK ((ended_at IS NULL) = (why IS NULL)),
    CONSTRAINT worker_starts_why_check CHECK (why IN ('start_failed', 'vanished', 'lease_ended'))
);
"""
INDEXES = {
    "worker_starts_ended_at": "worker_starts (ended_at)",
    "worker_starts_host": "worker_starts (host, model) WHERE ended_at IS NULL",
}
DOWN = """
DROP TABLE IF EXISTS worker_starts;
ALTER TABLE figures DROP COLUMN IF EXISTS scaling, DROP COLUMN IF EXISTS scaled_at,
    DROP COLUMN IF EXISTS seen_event_id, DROP COLUMN IF EXISTS seen_finish;
"""


def upgrade() -> None:
    run(UP)
    make_indexes(INDEXES)


def downgrade() -> None:
    drop_indexes(INDEXES)
    run(DOWN)
