"""A trigger: a running job is cancelled only after a cancel request, which can't be withdrawn."""

from __future__ import annotations

from migrations.statements import run

revision = "0007"
down_revision = "0006"

UP = """
CREATE FUNCTION jobs_cancel_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.cancel_requested_at IS NULL AND NEW.status = 'cancelled' THEN
        RAISE EXCEPTION 'nobody asked to cancel this job' USING ERRCODE = 'TQ001';
    END IF;
    IF NEW.cancel_requested_at IS NULL AND OLD.cancel_requested_at IS NOT NULL THEN
        RAISE EXCEPTION 'a cancel request is not taken back' USING ERRCODE = 'TQ001';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER jobs_cancel_guard BEFORE UPDATE OF status, cancel_requested_at ON jobs
    FOR EACH ROW WHEN (OLD.status = 'running') EXECUTE FUNCTION jobs_cancel_guard();
"""

DOWN = """
DROP TRIGGER jobs_cancel_guard ON jobs;
DROP FUNCTION jobs_cancel_guard();
"""


def upgrade() -> None:
    run(UP)


def downgrade() -> None:
    run(DOWN)
