"""The GPUs, with metrics of dcgm-exporter."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.monitoring.dashboards.panels import Board

NAME = "{{Hostname}} {{gpu}}"


def board() -> Dashboard:
    """The dashboard."""
    board = Board("til-gpu", "til-queue: GPU", "Utilisation, memory, temperature, power, errors.")
    board.row("Now")
    board.number("GPUs", "Reporting GPUs.", "short", "count(count by (UUID) (DCGM_FI_DEV_GPU_UTIL))")
    board.number("Busy", "Mean utilisation.", "percent", "avg(DCGM_FI_DEV_GPU_UTIL)")
    memory = "DCGM_FI_DEV_FB_USED / (DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE)"
    hot, full = [(None, "green"), (85.0, "red")], [(None, "green"), (0.97, "red")]
    board.number("Highest memory use", "Of any GPU.", "percentunit", f"max({memory})", full)
    board.number("Highest temperature", "Of any GPU.", "celsius", "max(DCGM_FI_DEV_GPU_TEMP)", hot)
    board.number("Power", "Sum of all GPUs.", "watt", "sum(DCGM_FI_DEV_POWER_USAGE)")
    errors = "count(DCGM_FI_DEV_XID_ERRORS > 0) or vector(0)"
    board.number("GPUs with an Xid error", "", "short", errors, [(None, "green"), (1.0, "red")])
    board.row("Over time")
    board.graph("Utilisation", "Time with a running kernel.", "percent", (NAME, "DCGM_FI_DEV_GPU_UTIL"))
    board.graph("Memory", "Used.", "percentunit", (NAME, memory))
    board.graph("Memory used", "", "mbytes", (NAME, "DCGM_FI_DEV_FB_USED"))
    board.graph("Temperature", "", "celsius", (NAME, "DCGM_FI_DEV_GPU_TEMP"))
    board.graph("Power", "The limit of an L4 is 72 W.", "watt", (NAME, "DCGM_FI_DEV_POWER_USAGE"))
    board.graph(
        "Clock",
        "It drops when a GPU is too hot or at its power limit.",
        "hertz",
        (NAME, "DCGM_FI_DEV_SM_CLOCK * 1e6"),
    )
    board.graph("Xid", "The number of the last error.", "short", (NAME, "DCGM_FI_DEV_XID_ERRORS"))
    return board.dashboard
