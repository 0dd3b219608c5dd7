"""The statements that read arrivals, successes and dead workers since the last measurement."""

from __future__ import annotations

from sqlalchemy import text

MOST_EVENTS, MOST_FINISHED, MOST_DEAD = 2_000, 200, 1_000
"""Limits on the rows that one measurement reads: the newest ones. If there were more events, the counts are
scaled up."""
LIMITS = {"most_events": MOST_EVENTS, "most_finished": MOST_FINISHED}

RECENT_EVENTS = text("""
WITH last AS MATERIALIZED (
    SELECT scaling, scaled_at, seen_event_id, least(seen_finish, clock_timestamp()) AS seen_finish
    FROM figures WHERE id = 1 AND scaled_at IS NOT NULL
), newest AS MATERIALIZED (SELECT coalesce(max(id), 0) AS id, clock_timestamp() AS now FROM job_events),
since AS MATERIALIZED (
    SELECT least(newest.id, greatest(seen_event_id, newest.id - :most_events)) AS id,
        greatest(1.0, (newest.id - seen_event_id) * 1.0 / :most_events) AS weight,
        greatest(0, extract(epoch FROM now - scaled_at)) AS elapsed
    FROM last, newest
), events AS MATERIALIZED (
    SELECT verb, job_id FROM job_events WHERE id > (SELECT id FROM since) ORDER BY id LIMIT :most_events
), arrived AS (
    SELECT model, count(*) * max(weight) AS arrived, sum(tokens) * max(weight) AS arrived_tokens
    FROM events CROSS JOIN since CROSS JOIN LATERAL (
        SELECT model, tokens FROM jobs WHERE jobs.id = events.job_id LIMIT 1
    ) AS job
    WHERE verb = 'submit' GROUP BY model
), finished AS MATERIALIZED (
    SELECT model, status, tokens, claimed_at, finished_at FROM jobs
    WHERE finished_at > (SELECT seen_finish FROM last) ORDER BY finished_at DESC LIMIT :most_finished
), succeeded AS (
    SELECT model, count(*) AS succeeded, sum(tokens) AS run_tokens, max(finished_at) AS succeeded_at,
        sum(greatest(0, extract(epoch FROM finished_at - claimed_at))) AS run_seconds
    FROM finished WHERE status = 'succeeded' AND claimed_at IS NOT NULL GROUP BY model
)
SELECT CAST(coalesce((SELECT elapsed FROM since), 0) AS float8) AS elapsed, newest.id AS seen_event_id,
    coalesce((SELECT max(finished_at) FROM finished), (SELECT seen_finish FROM last), now) AS seen_finish,
    (SELECT CAST(scaling AS text) FROM last) AS scaling,
    (SELECT CAST(jsonb_object_agg(model, jsonb_build_object(
        'arrived', arrived, 'arrived_tokens', arrived_tokens, 'succeeded', succeeded,
        'run_seconds', run_seconds, 'run_tokens', run_tokens, 'succeeded_at', succeeded_at)) AS text)
     FROM arrived FULL JOIN succeeded USING (model)) AS observed
FROM newest
""")
"""Finds no events at the first measurement. A submit whose transaction is still open at that moment may be
missed, about one in a hundred."""

DEAD_WORKERS = text("""
SELECT model, started_at FROM worker_starts
WHERE ended_at > statement_timestamp() - make_interval(secs => :seconds) ORDER BY ended_at DESC LIMIT :most
""")
"""Workers that died in the last `seconds`."""
