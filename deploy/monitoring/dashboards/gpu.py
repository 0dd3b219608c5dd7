"""The GPUs, as dcgm-exporter sees them."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.monitoring.dashboards.panels import Board

NAME = "{{Hostname}} {{gpu}}"


def board() -> Dashboard:
    """The dashboard."""
    made = Board("til-gpu", "til-queue: GPU", "Utilisation, memory, temperature, power, errors.")
    made.row("Now")
    made.number("GPUs", "That report.", "short", "count(count by (UUID) (DCGM_FI_DEV_GPU_UTIL))")
    made.number("Busy", "Mean utilisation.", "percent", "avg(DCGM_FI_DEV_GPU_UTIL)")
    memory = "DCGM_FI_DEV_FB_USED / (DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE)"
    made.number(
        "Fullest memory", "Of any GPU.", "percentunit", f"max({memory})", [(None, "green"), (0.97, "red")]
    )
    made.number(
        "Hottest", "Of any GPU.", "celsius", "max(DCGM_FI_DEV_GPU_TEMP)", [(None, "green"), (85.0, "red")]
    )
    made.number("Power", "Of all GPUs.", "watt", "sum(DCGM_FI_DEV_POWER_USAGE)")
    errors = "count(DCGM_FI_DEV_XID_ERRORS > 0) or vector(0)"
    made.number("With an Xid error", "GPUs.", "short", errors, [(None, "green"), (1.0, "red")])
    made.row("Over time")
    made.graph("Utilisation", "Some kernel ran.", "percent", (NAME, "DCGM_FI_DEV_GPU_UTIL"))
    made.graph("Memory", "Used.", "percentunit", (NAME, memory))
    made.graph("Memory used", "", "mbytes", (NAME, "DCGM_FI_DEV_FB_USED"))
    made.graph("Temperature", "", "celsius", (NAME, "DCGM_FI_DEV_GPU_TEMP"))
    made.graph("Power", "An L4 may take 72 W.", "watt", (NAME, "DCGM_FI_DEV_POWER_USAGE"))
    made.graph(
        "Clock",
        "It falls where a GPU is too hot or takes too much power.",
        "hertz",
        (NAME, "DCGM_FI_DEV_SM_CLOCK * 1e6"),
    )
    made.graph("Xid", "The number of the last error.", "short", (NAME, "DCGM_FI_DEV_XID_ERRORS"))
    return made.made
