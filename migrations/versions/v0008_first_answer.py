"""For repeated Idempotency-Keys: the first answer's status, and a hash of the request before redaction."""

from __future__ import annotations

from migrations.statements import run

revision = "0008"
down_revision = "0007"

UP = """
SET LOCAL lock_timeout = '5s';
ALTER TABLE tenants ADD COLUMN request_key bytea NOT NULL
    DEFAULT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
ALTER TABLE jobs ADD COLUMN request_mac bytea,
    ADD COLUMN first_saw_end boolean;
"""

DOWN = """
ALTER TABLE jobs DROP COLUMN request_mac, DROP COLUMN first_saw_end;
ALTER TABLE tenants DROP COLUMN request_key;
"""


def upgrade() -> None:
    run(UP)


def downgrade() -> None:
    run(DOWN)
