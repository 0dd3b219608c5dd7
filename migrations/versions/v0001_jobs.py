"""Tenants, keys, workers, jobs with their history, deliveries, and the queue's depth (figures, one row)."""

from __future__ import annotations

from alembic import op

from migrations.statements import run

revision = "0001"
down_revision = None

TENANTS = """
CREATE TABLE tenants (
    id uuid PRIMARY KEY,
    name text NOT NULL CONSTRAINT tenants_name_key UNIQUE
        CONSTRAINT tenants_name_check CHECK (length(name) BETWEEN 1 AND 200),
    weight integer NOT NULL DEFAULT 1 CONSTRAINT tenants_weight_check CHECK (weight BETWEEN 1 AND 1000),
    limits jsonb NOT NULL DEFAULT '{}',
    webhook_secret text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE api_keys (
    hash bytea PRIMARY KEY CONSTRAINT api_keys_hash_check CHECK (length(hash) = 32),
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    scopes text[] NOT NULL CONSTRAINT api_keys_scopes_check CHECK (scopes <@ ARRAY['submit', 'admin']),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    revoked_at timestamptz
);
"""

WORKERS = """
CREATE TABLE workers (
    id uuid PRIMARY KEY,
    host text NOT NULL,
    slots integer NOT NULL CONSTRAINT workers_slots_check CHECK (slots > 0),
    model text NOT NULL,
    engine text NOT NULL,
    tokens_per_second double precision NOT NULL DEFAULT 0,
    draining boolean NOT NULL DEFAULT false,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease_expires_at timestamptz NOT NULL
);
CREATE INDEX workers_lease_expires_at ON workers (lease_expires_at);
"""

JOBS = """
CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    status text NOT NULL DEFAULT 'queued',
    model text NOT NULL,
    priority integer NOT NULL DEFAULT 0,
    order_at timestamptz NOT NULL,
    not_before timestamptz,
    queue_deadline timestamptz NOT NULL,
    queue_seconds integer NOT NULL,
    run_seconds integer NOT NULL,
    claim_no bigint NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    losses integer NOT NULL DEFAULT 0,
    worker_id uuid,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    claimed_at timestamptz,
    finished_at timestamptz,
    cancel_requested_at timestamptz,
    erased_at timestamptz,
    reused boolean NOT NULL DEFAULT false,
    retry_of uuid,
    username text NOT NULL,
    repo text NOT NULL,
    date date NOT NULL,
    language text NOT NULL,
    request jsonb,
    request_hash bytea NOT NULL,
    content_hash bytea NOT NULL,
    idempotency_key text,
    webhook_url text,
    webhook_events text[],
    metadata jsonb NOT NULL DEFAULT '{}',
    redactions jsonb NOT NULL DEFAULT '[]',
    result jsonb,
    partial_text text,
    error jsonb,
    usage jsonb,
    provenance jsonb,
    CONSTRAINT jobs_status_check CHECK
        (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'expired')),
    CONSTRAINT jobs_priority_check CHECK (priority BETWEEN -3600 AND 3600),
    CONSTRAINT jobs_seconds_check CHECK (queue_seconds > 0 AND run_seconds > 0),
    CONSTRAINT jobs_counts_check CHECK
        (claim_no >= 0 AND attempts >= 0 AND failures >= 0 AND losses >= 0 AND attempts <= claim_no),
    CONSTRAINT jobs_worker_check CHECK ((status = 'running') = (worker_id IS NOT NULL)),
    CONSTRAINT jobs_claimed_check CHECK (status <> 'running' OR (claim_no > 0 AND claimed_at IS NOT NULL
        AND started_at IS NOT NULL)),
    CONSTRAINT jobs_ending_check CHECK ((status IN ('queued', 'running')) = (finished_at IS NULL)),
    CONSTRAINT jobs_result_check CHECK ((status = 'succeeded') = (result IS NOT NULL)
        OR (erased_at IS NOT NULL AND result IS NULL)),
    CONSTRAINT jobs_error_check CHECK ((status IN ('failed', 'expired')) = (error IS NOT NULL)),
    CONSTRAINT jobs_cancel_check CHECK (status <> 'queued' OR cancel_requested_at IS NULL),
    CONSTRAINT jobs_not_before_check CHECK (status = 'queued' OR not_before IS NULL),
    CONSTRAINT jobs_request_check CHECK (request IS NOT NULL OR erased_at IS NOT NULL),
    CONSTRAINT jobs_erased_check CHECK (erased_at IS NULL OR finished_at IS NOT NULL),
    CONSTRAINT jobs_webhook_check CHECK ((webhook_url IS NULL) = (webhook_events IS NULL))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 1);

CREATE INDEX jobs_waiting ON jobs (model, order_at, id) WHERE status = 'queued';
CREATE INDEX jobs_queue_deadline ON jobs (queue_deadline) WHERE status = 'queued' AND started_at IS NULL;
CREATE INDEX jobs_running ON jobs (worker_id) WHERE status = 'running';
CREATE INDEX jobs_recent ON jobs (tenant_id, created_at DESC, id DESC);
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;
CREATE UNIQUE INDEX jobs_idempotency_key ON jobs (tenant_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX jobs_idempotency_age ON jobs (created_at) WHERE idempotency_key IS NOT NULL;
CREATE INDEX jobs_reusable ON jobs (tenant_id, content_hash, finished_at DESC)
    WHERE status = 'succeeded' AND erased_at IS NULL;

CREATE TABLE job_events (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    job_id uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    verb text NOT NULL,
    status text NOT NULL,
    claim_no bigint NOT NULL,
    worker_id uuid
);
CREATE INDEX job_events_job_id ON job_events (job_id, id);
"""

DELIVERIES = """
CREATE TABLE deliveries (
    id uuid PRIMARY KEY,
    job_id uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    event text NOT NULL CONSTRAINT deliveries_event_check CHECK
        (event IN ('started', 'succeeded', 'failed', 'cancelled', 'expired')),
    event_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    url text NOT NULL,
    state text NOT NULL DEFAULT 'pending',
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz DEFAULT clock_timestamp(),
    lease_expires_at timestamptz,
    lease_no integer NOT NULL DEFAULT 0,
    last_status integer,
    finished_at timestamptz,
    CONSTRAINT deliveries_state_check CHECK (state IN ('pending', 'delivered', 'failed')),
    CONSTRAINT deliveries_finished_check CHECK ((state = 'pending') = (finished_at IS NULL)),
    CONSTRAINT deliveries_next_check CHECK ((state = 'pending') = (next_attempt_at IS NOT NULL))
);
CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE state = 'pending';
CREATE INDEX deliveries_job_id ON deliveries (job_id);
CREATE TABLE delivery_attempts (
    delivery_id uuid NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    number integer NOT NULL CONSTRAINT delivery_attempts_number_check CHECK (number > 0),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    status integer,
    error text,
    milliseconds integer NOT NULL,
    answer text NOT NULL CONSTRAINT delivery_attempts_answer_check CHECK (length(answer) <= 1024),
    PRIMARY KEY (delivery_id, number),
    CONSTRAINT delivery_attempts_outcome_check CHECK ((status IS NULL) <> (error IS NULL))
);
CREATE TABLE figures (
    id integer PRIMARY KEY CONSTRAINT figures_id_check CHECK (id = 1),
    at timestamptz NOT NULL,
    queued integer NOT NULL,
    running integer NOT NULL,
    workers integer NOT NULL,
    slots integer NOT NULL,
    oldest_queued_at timestamptz,
    tokens_per_second double precision NOT NULL,
    mean_run_seconds double precision,
    arrivals_per_second double precision NOT NULL,
    workers_desired integer NOT NULL
) WITH (fillfactor = 50);
"""


def upgrade() -> None:
    run(TENANTS, WORKERS, JOBS, DELIVERIES)


def downgrade() -> None:
    for table in (
        "figures",
        "delivery_attempts",
        "deliveries",
        "job_events",
        "jobs",
        "workers",
        "api_keys",
        "tenants",
    ):
        op.execute(f"DROP TABLE {table}")
