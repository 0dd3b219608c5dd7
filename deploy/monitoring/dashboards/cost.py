"""What a post costs, in GPU-hours, and in money by a price that the reader types in."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, TextBoxVariable

from deploy.monitoring.dashboards.panels import Board

PRICE = "${gpu_hour_price}"
POSTS = 'sum(increase(til_jobs_finished_total{status="succeeded"}[1d]))'
TOKENS = "sum by (kind) (increase(til_tokens_total[1d]))"


def board() -> Dashboard:
    """The dashboard."""
    made = Board("til-cost", "til-queue: cost", "GPU-hours for 1,000 posts.", since="now-7d")
    price = TextBoxVariable("gpu_hour_price").label("Price of a GPU-hour").default_value("1")
    made.made.with_variable(price)
    made.row("The last day")
    hours = "til:gpu_hours_per_1000_posts:1d"
    made.number("GPU-hours, 1,000 posts", "Idle GPUs count.", "h", hours)
    made.number("Price, 1,000 posts", "By the price above.", "short", f"{hours} * {PRICE}")
    made.number("Posts", "Written.", "short", POSTS)
    made.number("GPU-hours", "", "h", "sum_over_time(til:gpus:count[1d:1m]) / 60")
    made.number(
        "Cost", "By the price above.", "short", f"sum_over_time(til:gpus:count[1d:1m]) / 60 * {PRICE}"
    )
    idle = "avg_over_time((sum(til_engine_running) == bool 0)[1d:1m])"
    made.number("Idle", "Part of the day in which no engine wrote.", "percentunit", idle)
    made.row("Over time")
    made.graph("GPU-hours for 1,000 posts", "Over the day before.", "h", ("GPU-hours", hours), span=12)
    made.graph("GPUs", "That exist, at work or not.", "short", ("GPUs", "til:gpus:count"), span=12)
    made.graph("Posts", "In the hour before.", "short", ("posts", "til:posts:increase1h"), span=12)
    made.graph(
        "Tokens a post", "Over the day before.", "short", ("{{kind}}", f"{TOKENS} / scalar({POSTS})"), span=12
    )
    return made.made
