"""The statements that measure the depth of the queue, in total and by model, and store it."""

from __future__ import annotations

from sqlalchemy import text

COUNT_LIMIT = 100_000
CHEAP_LIMIT = 5_000
"""Each second, at most `CHEAP_LIMIT` queued jobs of a model are counted. If there are more, they are counted
up to `COUNT_LIMIT` every ten seconds, and that count is reused in between."""
LIMITS = {"few_limit": CHEAP_LIMIT, "most_limit": COUNT_LIMIT}

MEASURE = text("""
WITH RECURSIVE clock AS MATERIALIZED (SELECT clock_timestamp() AS now), waiting_models (model) AS (
    (SELECT model FROM jobs WHERE status = 'queued' ORDER BY model, created_at LIMIT 1)
    UNION ALL
    SELECT next.model FROM waiting_models CROSS JOIN LATERAL (
        SELECT j.model FROM jobs AS j WHERE j.status = 'queued' AND j.model > waiting_models.model
        ORDER BY j.model, j.created_at LIMIT 1
    ) AS next
), few AS (
    SELECT m.model, w.queued, w.oldest, l.later, t.tokens FROM waiting_models AS m CROSS JOIN LATERAL (
        SELECT count(*) AS queued, min(created_at) AS oldest FROM (
            SELECT created_at FROM jobs WHERE status = 'queued' AND jobs.model = m.model
            ORDER BY created_at LIMIT :few_limit
        ) AS first
    ) AS w CROSS JOIN LATERAL (
        SELECT count(*) AS later FROM (
            SELECT FROM jobs WHERE status = 'queued' AND jobs.model = m.model
                AND not_before > statement_timestamp() + make_interval(secs => :horizon)
            ORDER BY not_before LIMIT :few_limit
        ) AS not_soon
    ) AS l CROSS JOIN LATERAL (
        SELECT avg(tokens) AS tokens FROM (
            SELECT tokens FROM jobs WHERE status = 'queued' AND jobs.model = m.model AND not_before IS NULL
            ORDER BY order_at, id LIMIT 200
        ) AS next
    ) AS t
), last AS (
    SELECT models, counted_at FROM figures, clock
    WHERE id = 1 AND counted_at <= now AND counted_at > now - interval '10 s'
), known AS (
    SELECT few.*, counted_at, CAST(last.models -> few.model ->> 'queued' AS integer) AS before,
        CAST(last.models -> few.model ->> 'later' AS integer) AS later_before
    FROM few LEFT JOIN last ON few.queued = :few_limit
), q AS (
    SELECT model, oldest, tokens, CASE WHEN before IS NOT NULL THEN counted_at END AS counted_at,
        CASE WHEN later < :few_limit THEN later
             WHEN later_before IS NOT NULL THEN greatest(later_before, later)
             ELSE (SELECT count(*) FROM (
                 SELECT FROM jobs WHERE status = 'queued' AND jobs.model = known.model
                     AND not_before > statement_timestamp() + make_interval(secs => :horizon)
                 ORDER BY not_before LIMIT :most_limit) AS most) END AS later,
        CASE WHEN queued < :few_limit THEN queued
             WHEN before IS NOT NULL THEN greatest(before, queued)
             ELSE (SELECT count(*) FROM (SELECT FROM jobs WHERE status = 'queued' AND jobs.model = known.model
                                         ORDER BY created_at LIMIT :most_limit) AS most) END AS queued
    FROM known
), r AS (
    SELECT model, count(*) AS running FROM jobs WHERE status = 'running' GROUP BY model
), w AS (
    SELECT model, count(*) AS workers, sum(slots) AS slots, sum(tokens_per_second) AS tokens_per_second
    FROM workers WHERE lease_expires_at > clock_timestamp() AND NOT draining GROUP BY model
), recent AS MATERIALIZED (
    SELECT model, greatest(0, extract(epoch FROM finished_at - claimed_at)) AS seconds FROM (
        SELECT model, finished_at, claimed_at FROM jobs
        WHERE finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT 200
    ) AS finished WHERE claimed_at IS NOT NULL
), s AS (
    SELECT model, avg(seconds) AS mean FROM recent GROUP BY model
), by_model AS (
    SELECT model, coalesce(queued, 0) AS queued, coalesce(running, 0) AS running, oldest, q.counted_at,
        coalesce(later, 0) AS later, tokens,
        coalesce(workers, 0) AS workers, coalesce(slots, 0) AS slots, tokens_per_second, mean
    FROM q FULL JOIN r USING (model) FULL JOIN w USING (model) LEFT JOIN s USING (model)
), total AS (
    SELECT coalesce(sum(queued), 0) AS queued, coalesce(sum(running), 0) AS running, min(oldest) AS oldest,
        min(counted_at) AS counted_at, coalesce(sum(workers), 0) AS workers, coalesce(sum(slots), 0) AS slots,
        coalesce(sum(tokens_per_second), 0) AS tokens_per_second,
        coalesce(jsonb_object_agg(model, jsonb_build_object('queued', queued, 'running', running,
            'workers', workers, 'slots', slots, 'oldest_queued_at', oldest, 'mean_run_seconds', mean,
            'later', later, 'tokens_per_job', tokens)), '{}')
            AS models
    FROM by_model
)
SELECT now AS at, coalesce(counted_at, now) AS counted_at, CAST(queued AS integer) AS queued,
    CAST(running AS integer) AS running, CAST(workers AS integer) AS workers, CAST(slots AS integer) AS slots,
    oldest, tokens_per_second, CAST(models AS text) AS models, (SELECT avg(seconds) FROM recent) AS mean
FROM clock, total
""")

WRITE = text("""
INSERT INTO figures (id, at, steady_since, counted_at, queued, running, workers, slots, oldest_queued_at,
                     tokens_per_second, mean_run_seconds, arrivals_per_second, workers_desired, models,
                     scaling, scaled_at, seen_event_id, seen_finish)
VALUES (1, :at, :at, :counted_at, :queued, :running, :workers, :slots, :oldest,
        :tokens_per_second, :mean, :arrivals, :desired, CAST(:models AS jsonb),
        CAST(:scaling AS jsonb), :at, :seen_event_id, :seen_finish)
ON CONFLICT (id) DO UPDATE SET
    steady_since = CASE WHEN figures.at < excluded.at - make_interval(secs => :gap)
                          OR figures.at > excluded.at + make_interval(secs => :gap)
                        THEN excluded.at ELSE figures.steady_since END,
    at = excluded.at, counted_at = excluded.counted_at,
    queued = excluded.queued, running = excluded.running, workers = excluded.workers,
    slots = excluded.slots, oldest_queued_at = excluded.oldest_queued_at,
    tokens_per_second = excluded.tokens_per_second, mean_run_seconds = excluded.mean_run_seconds,
    arrivals_per_second = excluded.arrivals_per_second, workers_desired = excluded.workers_desired,
    models = excluded.models, scaling = excluded.scaling, scaled_at = excluded.scaled_at,
    seen_event_id = excluded.seen_event_id, seen_finish = excluded.seen_finish
""")
