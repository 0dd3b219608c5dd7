"""The service as its users see it: errors, latency, posts; and the queue behind it."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.monitoring.dashboards.panels import Board, quantiles, rate

USERS = 'route!~"/healthz|/readyz"'
GREEN_TO_RED = [(None, "green"), (300.0, "orange"), (600.0, "red")]
SHARES = [(None, "green"), (0.005, "orange"), (0.05, "red")]


def board() -> Dashboard:
    """The dashboard."""
    made = Board("til-service", "til-queue: service", "Latency, throughput, errors, depth, waits.")
    _now(made)
    _requests(made)
    _queue(made)
    _webhooks(made)
    _repairs(made)
    return made.made


def _now(made: Board) -> None:
    made.row("Now")
    made.number(
        "Oldest wait",
        "Of the job that has waited longest.",
        "s",
        "max(model:til_oldest_queued_seconds:max)",
        GREEN_TO_RED,
    )
    made.number("Waiting", "Jobs that wait.", "short", 'sum(model_state:til_jobs:max{state="queued"})')
    made.number("Running", "Jobs that run.", "short", 'sum(model_state:til_jobs:max{state="running"})')
    made.number("Workers", "Live, not draining.", "short", "max(til_workers)")
    made.number("5xx, 1 h", "Of all requests.", "percentunit", "til:http_errors:ratio_rate1h", SHARES)
    made.number("Failed jobs, 1 h", "Of all written.", "percentunit", "til:job_failures:ratio_rate1h", SHARES)


def _requests(made: Board) -> None:
    requests, status = "til_http_request_seconds_count", '"$1xx", "status", "(.).*"'
    by_class = (
        f'sum by (class) (label_replace(rate({requests}{{{USERS}}}[$__rate_interval]), "class", {status}))'
    )
    made.row("Requests")
    made.graph("Requests", "By class of status.", "reqps", ("{{class}}", by_class))
    made.graph(
        "Latency",
        "A wait that the client asked for (Prefer, ?wait) and event streams count whole.",
        "s",
        *quantiles("til_http_request_seconds", "route", matchers=USERS, of=(0.95,)),
    )
    _errors(made)


def _errors(made: Board) -> None:
    made.graph(
        "Error ratio",
        "Requests with 5xx, jobs that failed: over 5 minutes and 6 hours.",
        "percentunit",
        ("5xx 5 m", "til:http_errors:ratio_rate5m"),
        ("5xx 6 h", "til:http_errors:ratio_rate6h"),
        ("jobs 5 m", "til:job_failures:ratio_rate5m"),
        ("jobs 6 h", "til:job_failures:ratio_rate6h"),
    )
    made.graph(
        "Submissions", "By outcome.", "reqps", ("{{outcome}}", rate("til_submissions_total", "outcome"))
    )
    made.graph(
        "Connections",
        "Open connections and event streams of each api.",
        "short",
        ("{{instance}} connections", "til_connections"),
        ("{{instance}} streams", "til_event_streams"),
    )
    made.graph(
        "Answers with 5xx",
        "By route and status.",
        "reqps",
        (
            "{{route}} {{status}}",
            rate("til_http_request_seconds_count", "route, status", f'status=~"5..", {USERS}'),
        ),
    )


def _queue(made: Board) -> None:
    made.row("Queue")
    made.graph(
        "Depth", "Jobs by model and state.", "short", ("{{model}} {{state}}", "model_state:til_jobs:max")
    )
    made.graph("Oldest wait", "By model.", "s", ("{{model}}", "model:til_oldest_queued_seconds:max"))
    made.graph(
        "Workers",
        "What the autoscalers follow, and what is live.",
        "short",
        ("{{model}} desired", "model:til_workers_desired:max"),
        ("live", "max(til_workers)"),
    )
    made.graph("Wait", "From submit to the first start.", "s", *quantiles("til_job_queue_seconds"))
    made.graph("Run", "From claim to ending.", "s", *quantiles("til_job_run_seconds"))
    made.graph("Tokens", "Read and written.", "short", ("{{kind}}/s", rate("til_tokens_total", "kind")))
    made.graph("Endings", "Jobs a second.", "ops", ("{{status}}", rate("til_jobs_finished_total", "status")))


def _webhooks(made: Board) -> None:
    made.graph(
        "Webhooks",
        "Attempts by outcome.",
        "ops",
        ("{{outcome}}", rate("til_webhook_deliveries_total", "outcome")),
    )
    made.graph(
        "Webhook delay", "From the event to the first POST.", "s", *quantiles("til_webhook_delay_seconds")
    )


def _repairs(made: Board) -> None:
    made.row("Repairs")
    made.graph(
        "Lost workers",
        "Workers whose lease ended, and their jobs that were taken back, over 10 minutes.",
        "short",
        ("workers", "sum(increase(til_workers_lost_total[10m]))"),
        ("jobs", "sum(increase(til_lease_rescues_total[10m]))"),
    )
    made.graph(
        "Loop errors",
        "Errors that a loop went on after.",
        "ops",
        ("{{loop}}", rate("til_loop_errors_total", "loop")),
    )
    made.graph(
        "Doorbells", "By what became of them.", "ops", ("{{outcome}}", rate("til_doorbells_total", "outcome"))
    )
