"""Webhooks: deliveries indexed by tenant and host, several previous secrets, failures of an endpoint."""

from __future__ import annotations

from migrations.statements import run

revision = "0006"
down_revision = "0005"

UP = """
DROP INDEX deliveries_due;
ALTER TABLE deliveries DROP COLUMN host,
    ADD COLUMN host text COLLATE "C" NOT NULL GENERATED ALWAYS AS (rtrim(lower(coalesce(
        substring(url from '^[A-Za-z]+://\\[([^]]*)\\]'), substring(url from '^[A-Za-z]+://([^/?#:]*)'), '')),
        '.')) STORED,
    ADD COLUMN phase text NOT NULL DEFAULT 'later'
        CONSTRAINT deliveries_phase_check CHECK (phase IN ('due', 'posting', 'later'));
ALTER TABLE deliveries ALTER COLUMN phase SET DEFAULT 'due';
CREATE INDEX deliveries_due ON deliveries (tenant_id, host, next_attempt_at)
    WHERE state = 'pending' AND phase = 'due';
CREATE INDEX deliveries_later ON deliveries (next_attempt_at) WHERE state = 'pending' AND phase <> 'due';
ALTER TABLE webhook_endpoints ADD COLUMN last_failed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ADD COLUMN failures integer NOT NULL DEFAULT 1;
CREATE INDEX webhook_endpoints_last_failed_at ON webhook_endpoints (last_failed_at);
ALTER TABLE tenants ADD COLUMN previous_secrets jsonb NOT NULL DEFAULT '[]';
UPDATE tenants SET previous_secrets = jsonb_build_array(jsonb_build_object(
    'secret', previous_secret, 'until', previous_secret_until)) WHERE previous_secret IS NOT NULL;
ALTER TABLE tenants DROP COLUMN previous_secret, DROP COLUMN previous_secret_until;
"""

DOWN = """
ALTER TABLE tenants ADD COLUMN previous_secret text, ADD COLUMN previous_secret_until timestamptz,
    ADD CONSTRAINT tenants_previous_check CHECK ((previous_secret IS NULL) = (previous_secret_until IS NULL));
UPDATE tenants SET previous_secret = previous_secrets -> 0 ->> 'secret',
    previous_secret_until = (previous_secrets -> 0 ->> 'until')::timestamptz WHERE previous_secrets <> '[]';
ALTER TABLE tenants DROP COLUMN previous_secrets;
ALTER TABLE webhook_endpoints DROP COLUMN last_failed_at, DROP COLUMN failures;
DROP INDEX deliveries_due;
DROP INDEX deliveries_later;
ALTER TABLE deliveries DROP COLUMN host, DROP COLUMN phase,
    ADD COLUMN host text NOT NULL GENERATED ALWAYS AS
        (coalesce(lower(substring(url from '^[A-Za-z]+://([^/?#]*)')), '')) STORED;
CREATE INDEX deliveries_due ON deliveries (host, next_attempt_at) WHERE state = 'pending';
"""


def upgrade() -> None:
    run(UP)


def downgrade() -> None:
    run(DOWN)
