"""Indexes for the claim, for each filter of the list of jobs, and for the depth of the queue."""

from __future__ import annotations

from migrations.statements import drop_indexes, make_indexes, run

revision = "0009"
down_revision = "0008"

INDEXES = {
    "jobs_by_status": "jobs (tenant_id, status, created_at DESC, id DESC)",
    "jobs_by_repo": "jobs (tenant_id, repo, status, created_at DESC, id DESC, username)",
    "jobs_by_username": "jobs (tenant_id, username, status, created_at DESC, id DESC)",
    "jobs_new": "jobs (model, order_at, id) WHERE status = 'queued' AND not_before IS NULL",
    "jobs_again": "jobs (model, not_before) WHERE status = 'queued' AND not_before IS NOT NULL",
    "jobs_queued_age": "jobs (created_at) WHERE status = 'queued'",
    "webhook_endpoints_by_tenant": "webhook_endpoints (tenant_id, failing_since)",
    "webhook_endpoints_failing": "webhook_endpoints (last_failed_at) WHERE disabled_at IS NULL",
    "webhook_endpoints_disabled": "webhook_endpoints (disabled_at) WHERE disabled_at IS NOT NULL",
}


def upgrade() -> None:
    run("ALTER TABLE figures ADD COLUMN IF NOT EXISTS counted_at timestamptz NOT NULL DEFAULT 'epoch'")
    make_indexes(INDEXES)


def downgrade() -> None:
    drop_indexes(INDEXES)
    run("ALTER TABLE figures DROP COLUMN IF EXISTS counted_at")
