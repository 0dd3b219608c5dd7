"""Webhooks: deliveries indexed by host, a previous secret during a rotation, endpoints that keep failing."""

from __future__ import annotations

from migrations.statements import run

revision = "0004"
down_revision = "0003"

UP = """
ALTER TABLE tenants ADD COLUMN previous_secret text, ADD COLUMN previous_secret_until timestamptz,
    ADD CONSTRAINT tenants_previous_check CHECK ((previous_secret IS NULL) = (previous_secret_until IS NULL));
CREATE TABLE webhook_endpoints (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    url text NOT NULL,
    failing_since timestamptz NOT NULL DEFAULT clock_timestamp(),
    disabled_at timestamptz,
    PRIMARY KEY (tenant_id, url)
);
ALTER TABLE deliveries DROP COLUMN lease_expires_at, ADD COLUMN last_error text,
    ADD COLUMN attempts_before integer NOT NULL DEFAULT 0,
    ADD COLUMN host text NOT NULL GENERATED ALWAYS AS
        (coalesce(lower(substring(url from '^[A-Za-z]+://([^/?#]*)')), '')) STORED;
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (host, next_attempt_at) WHERE state = 'pending';
CREATE INDEX deliveries_recent ON deliveries (tenant_id, event_at);
"""

DOWN = """
DROP INDEX deliveries_recent;
DROP INDEX deliveries_due;
ALTER TABLE deliveries DROP COLUMN host, DROP COLUMN last_error, DROP COLUMN attempts_before,
    ADD COLUMN lease_expires_at timestamptz;
CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE state = 'pending';
DROP TABLE webhook_endpoints;
ALTER TABLE tenants DROP COLUMN previous_secret, DROP COLUMN previous_secret_until;
"""


def upgrade() -> None:
    run(UP)


def downgrade() -> None:
    run(DOWN)
