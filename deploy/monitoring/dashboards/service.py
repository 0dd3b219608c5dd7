"""The service: errors, latency and throughput of requests, and the queue."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.monitoring.dashboards.panels import Board, quantiles, rate

USERS = 'route!~"/healthz|/readyz"'
GREEN_TO_RED = [(None, "green"), (300.0, "orange"), (600.0, "red")]
SHARES = [(None, "green"), (0.005, "orange"), (0.05, "red")]


def board() -> Dashboard:
    """The dashboard."""
    board = Board("til-service", "til-queue: service", "Latency, throughput, errors, queue depth, waits.")
    _now(board)
    _requests(board)
    _queue(board)
    _webhooks(board)
    _repairs(board)
    return board.dashboard


def _now(board: Board) -> None:
    board.row("Now")
    board.number(
        "Oldest wait",
        "Age of the oldest queued job.",
        "s",
        "max(model:til_oldest_queued_seconds:max)",
        GREEN_TO_RED,
    )
    board.number("Queued", "Queued jobs.", "short", 'sum(model_state:til_jobs:max{state="queued"})')
    board.number("Running", "Running jobs.", "short", 'sum(model_state:til_jobs:max{state="running"})')
    board.number("Workers", "Live, not draining.", "short", "max(til_workers)")
    board.number("5xx, 1 h", "Of all requests.", "percentunit", "til:http_errors:ratio_rate1h", SHARES)
    board.number(
        "Failed jobs, 1 h",
        "Of failed and succeeded jobs.",
        "percentunit",
        "til:job_failures:ratio_rate1h",
        SHARES,
    )


def _requests(board: Board) -> None:
    requests, status = "til_http_request_seconds_count", '"$1xx", "status", "(.).*"'
    by_class = (
        f'sum by (class) (label_replace(rate({requests}{{{USERS}}}[$__rate_interval]), "class", {status}))'
    )
    board.row("Requests")
    board.graph("Requests", "By status class.", "reqps", ("{{class}}", by_class))
    board.graph(
        "Latency",
        "Including long polls (Prefer, ?wait) and event streams.",
        "s",
        *quantiles("til_http_request_seconds", "route", matchers=USERS, of=(0.95,)),
    )
    _errors(board)


def _errors(board: Board) -> None:
    board.graph(
        "Error ratio",
        "Requests with 5xx, and failed jobs, over 5 minutes and 6 hours.",
        "percentunit",
        ("5xx 5 m", "til:http_errors:ratio_rate5m"),
        ("5xx 6 h", "til:http_errors:ratio_rate6h"),
        ("jobs 5 m", "til:job_failures:ratio_rate5m"),
        ("jobs 6 h", "til:job_failures:ratio_rate6h"),
    )
    board.graph(
        "Submissions", "By outcome.", "reqps", ("{{outcome}}", rate("til_submissions_total", "outcome"))
    )
    board.graph(
        "Connections",
        "Open connections and event streams of each api.",
        "short",
        ("{{instance}} connections", "til_connections"),
        ("{{instance}} streams", "til_event_streams"),
    )
    board.graph(
        "Responses with 5xx",
        "By route and status.",
        "reqps",
        (
            "{{route}} {{status}}",
            rate("til_http_request_seconds_count", "route, status", f'status=~"5..", {USERS}'),
        ),
    )


def _queue(board: Board) -> None:
    board.row("Queue")
    board.graph(
        "Depth", "Jobs by model and state.", "short", ("{{model}} {{state}}", "model_state:til_jobs:max")
    )
    board.graph("Oldest wait", "By model.", "s", ("{{model}}", "model:til_oldest_queued_seconds:max"))
    board.graph(
        "Workers",
        "Desired workers, which autoscalers follow, and live ones.",
        "short",
        ("{{model}} desired", "model:til_workers_desired:max"),
        ("live", "max(til_workers)"),
    )
    board.graph("Wait", "From submit to the first start.", "s", *quantiles("til_job_queue_seconds"))
    board.graph("Run", "From claim to ending.", "s", *quantiles("til_job_run_seconds"))
    board.graph(
        "Tokens",
        "Prompt and generated.",
        "short",
        ("{{kind}}/s", rate("til_tokens_total", "kind")),
    )
    board.graph(
        "Finished jobs", "By status.", "ops", ("{{status}}", rate("til_jobs_finished_total", "status"))
    )


def _webhooks(board: Board) -> None:
    board.graph(
        "Webhooks",
        "Attempts by outcome.",
        "ops",
        ("{{outcome}}", rate("til_webhook_deliveries_total", "outcome")),
    )
    board.graph(
        "Webhook delay", "From the event to the first POST.", "s", *quantiles("til_webhook_delay_seconds")
    )


def _repairs(board: Board) -> None:
    board.row("Repairs")
    board.graph(
        "Lost workers",
        "Workers whose lease ended, and their rescued jobs, in 10 minutes.",
        "short",
        ("workers", "sum(increase(til_workers_lost_total[10m]))"),
        ("jobs", "sum(increase(til_lease_rescues_total[10m]))"),
    )
    board.graph(
        "Loop errors",
        "Errors of background loops, which retry.",
        "ops",
        ("{{loop}}", rate("til_loop_errors_total", "loop")),
    )
    board.graph("Doorbells", "By outcome.", "ops", ("{{outcome}}", rate("til_doorbells_total", "outcome")))
