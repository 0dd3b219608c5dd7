"""Triggers that enforce a job's legal transitions, its claim numbers and its append-only history."""

from __future__ import annotations

from alembic import op

from migrations.statements import run

revision = "0002"
down_revision = "0001"

GUARD = """
CREATE FUNCTION jobs_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    arrow text := OLD.status || '>' || NEW.status;
BEGIN
    IF NEW.claim_no <> OLD.claim_no + (arrow = 'queued>running')::integer THEN
        RAISE EXCEPTION 'claim_no % to % on %', OLD.claim_no, NEW.claim_no, arrow USING ERRCODE = 'TQ002';
    END IF;
    IF NEW.status <> OLD.status AND arrow NOT IN (
        'queued>running', 'running>queued', 'running>succeeded', 'running>failed',
        'queued>cancelled', 'running>cancelled', 'queued>expired'
    ) THEN
        RAISE EXCEPTION 'a job does not go %', arrow USING ERRCODE = 'TQ001';
    END IF;
    IF arrow IN ('running>succeeded', 'running>failed') AND NEW.cancel_requested_at IS NOT NULL THEN
        RAISE EXCEPTION 'a cancel request wins over %', arrow USING ERRCODE = 'TQ001';
    END IF;
    IF arrow = 'queued>expired' AND OLD.started_at IS NOT NULL THEN
        RAISE EXCEPTION 'a job that has started does not expire' USING ERRCODE = 'TQ001';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER jobs_guard BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION jobs_guard();

CREATE FUNCTION jobs_begin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status <> 'queued' AND NOT (NEW.status = 'succeeded' AND NEW.reused) THEN
        RAISE EXCEPTION 'a job does not begin as %', NEW.status USING ERRCODE = 'TQ001';
    END IF;
    IF NEW.claim_no <> 0 THEN
        RAISE EXCEPTION 'a job begins unclaimed' USING ERRCODE = 'TQ002';
    END IF;
    NEW.created_at := coalesce(NEW.created_at, clock_timestamp());
    NEW.finished_at := CASE WHEN NEW.reused THEN NEW.created_at END;
    NEW.order_at := NEW.created_at - make_interval(secs => NEW.priority);
    NEW.queue_deadline := NEW.created_at + make_interval(secs => NEW.queue_seconds);
    RETURN NEW;
END $$;
CREATE TRIGGER jobs_begin BEFORE INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION jobs_begin();
"""

HISTORY = """
CREATE FUNCTION jobs_history() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    verb text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        verb := CASE WHEN NEW.reused THEN 'reuse' ELSE 'submit' END;
        INSERT INTO job_events (job_id, verb, status, claim_no)
        VALUES (NEW.id, verb, NEW.status, NEW.claim_no);
        RETURN NULL;
    END IF;
    IF NEW.cancel_requested_at IS DISTINCT FROM OLD.cancel_requested_at AND NEW.status = 'running' THEN
        verb := 'ask_cancel';
    ELSIF NEW.status = OLD.status THEN
        RETURN NULL;
    ELSE
        verb := CASE
            WHEN NEW.status = 'running' THEN 'claim'
            WHEN NEW.status = 'succeeded' THEN 'succeed'
            WHEN NEW.status = 'failed' THEN 'fail'
            WHEN NEW.status = 'cancelled' THEN 'cancel'
            WHEN NEW.status = 'expired' THEN 'expire'
            WHEN NEW.failures > OLD.failures THEN 'retry'
            WHEN NEW.attempts < OLD.attempts THEN 'release'
            ELSE 'rescue'
        END;
    END IF;
    INSERT INTO job_events (job_id, verb, status, claim_no, worker_id)
    VALUES (NEW.id, verb, NEW.status, NEW.claim_no, coalesce(NEW.worker_id, OLD.worker_id));
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_history AFTER INSERT OR UPDATE OF status, cancel_requested_at ON jobs
    FOR EACH ROW EXECUTE FUNCTION jobs_history();

CREATE FUNCTION job_events_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'job_events is append-only' USING ERRCODE = 'TQ003';
END $$;
CREATE TRIGGER job_events_append_only BEFORE UPDATE ON job_events
    FOR EACH ROW EXECUTE FUNCTION job_events_append_only();
"""


def upgrade() -> None:
    run(GUARD, HISTORY)


def downgrade() -> None:
    for trigger in ("jobs_guard", "jobs_begin", "jobs_history"):
        op.execute(f"DROP TRIGGER {trigger} ON jobs")
    op.execute("DROP TRIGGER job_events_append_only ON job_events")
    for function in ("jobs_guard", "jobs_begin", "jobs_history", "job_events_append_only"):
        op.execute(f"DROP FUNCTION {function}()")
