"""The cost of a post in GPU-hours, and in money for a price that is entered in the dashboard."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, TextBoxVariable

from deploy.monitoring.dashboards.panels import Board

PRICE = "${gpu_hour_price}"
GPU_HOURS = "sum_over_time(til:gpus:count[1d:1m]) / 60"
POSTS = 'sum(increase(til_jobs_finished_total{status="succeeded"}[1d]))'
TOKENS = "sum by (kind) (increase(til_tokens_total[1d]))"


def board() -> Dashboard:
    """The dashboard."""
    board = Board("til-cost", "til-queue: cost", "GPU-hours per 1,000 posts.", since="now-7d")
    price = TextBoxVariable("gpu_hour_price").label("Price of a GPU-hour").default_value("1")
    board.dashboard.with_variable(price)
    board.row("The last day")
    hours = "til:gpu_hours_per_1000_posts:1d"
    board.number("GPU-hours, 1,000 posts", "Including idle GPUs.", "h", hours)
    board.number("Price, 1,000 posts", "With the price above.", "short", f"{hours} * {PRICE}")
    board.number("Posts", "Succeeded jobs.", "short", POSTS)
    board.number("GPU-hours", "", "h", GPU_HOURS)
    board.number("Cost", "With the price above.", "short", f"{GPU_HOURS} * {PRICE}")
    idle = "avg_over_time((sum(til_engine_running) == bool 0)[1d:1m])"
    board.number("Idle", "Share of the day in which no engine was running a call.", "percentunit", idle)
    board.row("Over time")
    board.graph("GPU-hours per 1,000 posts", "Last 24 h.", "h", ("GPU-hours", hours), span=12)
    board.graph("GPUs", "Busy or idle.", "short", ("GPUs", "til:gpus:count"), span=12)
    board.graph("Posts", "Last hour.", "short", ("posts", "til:posts:increase1h"), span=12)
    board.graph(
        "Tokens per post",
        "Last 24 h.",
        "short",
        ("{{kind}}", f"{TOKENS} / scalar({POSTS})"),
        span=12,
    )
    return board.dashboard
