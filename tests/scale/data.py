"""A database as it is after long use, made in seconds: hundreds of thousands of rows that are not due."""

from __future__ import annotations

import asyncpg

from tests.stack.database import plain_url

ROWS = 300_000
OWNER = "00000000-0000-7000-8000-000000000001"
"""The tenant whose rows they are."""
CONTENT_HASH = "sha256('the same each time')"
COLUMNS = (
    "id, tenant_id, status, model, order_at, queue_deadline, queue_seconds, run_seconds, created_at,"
    " username, repo, date, language, request, request_hash, content_hash, not_before, idempotency_key,"
    " claim_no, attempts, started_at, claimed_at, finished_at, result"
)
OWN = f"""
INSERT INTO tenants (id, name, webhook_secret) VALUES ('{OWNER}', 'owner', 'whsec_x');
INSERT INTO workers (id, host, slots, model, engine, lease_expires_at)
    SELECT uuidv7(), 'h', 30, 'default', 'outline', clock_timestamp() + interval '1 day'
    FROM generate_series(1, 5);
"""
JOBS = """
INSERT INTO jobs ({columns})
SELECT uuidv7(), '{owner}', '{status}', 'default', t, t + interval '7 days', 604800, 600, t, 'ada',
    'ada/engine', '2025-04-24', 'en', '{{}}', {content_hash}, {content_hash}, {not_before},
    CASE WHEN n % 3 = 0 THEN '{status}' || '{kind}' || n END, {ran}
FROM (SELECT n, clock_timestamp() - interval '{since}' + n * interval '0.2 second' AS t
      FROM generate_series(1, {rows}) AS n) AS g
"""
WAITS, RAN = "0, 0, NULL, NULL, NULL, NULL", "1, 1, t, t, t + interval '9 s', '{\"content\": \"x\"}'"
BESIDE = """
INSERT INTO job_events (job_id, at, verb, status, claim_no)
    SELECT id, created_at, 'submit', 'queued', 0 FROM jobs LIMIT {rows};
INSERT INTO deliveries (id, job_id, tenant_id, event, event_at, url, state, attempts, next_attempt_at,
        finished_at, phase)
    SELECT uuidv7(), id, tenant_id, 'succeeded', finished_at,
        'https://r' || (random() * 1000)::int || '.example.com/x',
        CASE WHEN part = 1 THEN 'delivered' ELSE 'pending' END, 1,
        CASE WHEN part = 2 THEN clock_timestamp() + interval '1 hour' + random() * interval '20 hours' END,
        CASE WHEN part = 1 THEN clock_timestamp() END, 'later'
    FROM jobs, generate_series(1, 2) AS part WHERE finished_at IS NOT NULL;
INSERT INTO delivery_attempts (delivery_id, number, status, milliseconds, answer)
    SELECT id, 1, 200, 5, '' FROM deliveries WHERE state = 'delivered';
INSERT INTO webhook_endpoints (tenant_id, url, failing_since, last_failed_at, failures, disabled_at)
    SELECT '{owner}', 'https://r' || n || '.example.net/x', t, t, 20, CASE WHEN n % 2 = 0 THEN t END
    FROM (SELECT n, now() - CASE n % 2 WHEN 0 THEN interval '30 days' ELSE interval '1 day' END AS t
          FROM generate_series(1, {rows}) AS n) AS g
"""


def kinds(backlog: int, finished: int) -> str:
    """Jobs that wait for a slot, as many that wait for their time, and jobs that have ended."""
    shared = {"columns": COLUMNS, "owner": OWNER, "content_hash": CONTENT_HASH}
    waits = shared | {"status": "queued", "rows": backlog, "ran": WAITS}
    ended = shared | {"status": "succeeded", "rows": finished, "ran": RAN}
    later = "clock_timestamp() + interval '20 hours'"
    return ";".join(
        [
            JOBS.format(**waits, kind="scheduled", not_before=later, since="23 hours"),
            JOBS.format(**waits, kind="new", not_before="NULL", since="22 hours"),
            JOBS.format(**ended, kind="done", not_before="NULL", since="3 days"),
        ]
    )


async def fill(url: str, backlog: int, finished: int) -> None:
    """Fill a migrated, empty database, its triggers and constraints off; its indexes are made afterwards."""
    connection = await asyncpg.connect(plain_url(url))
    try:
        await connection.execute("SET session_replication_role = replica; SET maintenance_work_mem = '256MB'")
        made = await connection.fetch(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename IN"
            " ('jobs', 'deliveries', 'job_events') AND indexname NOT LIKE '%_pkey'"
        )
        await connection.execute(";".join(f"DROP INDEX {index['indexname']}" for index in made))
        await connection.execute(OWN)
        await connection.execute(kinds(backlog, finished))
        await connection.execute(BESIDE.format(owner=OWNER, rows=max(backlog, finished)))
        await connection.execute(";".join(index["indexdef"] for index in made))
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
