"""The labels of each series that rules and dashboards ask for, as its exporter writes them.

Tests compare those of til-queue, vLLM and node-exporter with running ones: `test_names.py` here,
`tests/vllm/test_main_job.py`, `tests/deploy/monitoring/test_labels.py`. Those of dcgm-exporter, Triton and
blackbox-exporter are from their documentation.
"""

from __future__ import annotations

NONE: frozenset[str] = frozenset()
TARGET = frozenset({"job", "instance"})
"""What Prometheus adds to each series."""
APP = frozenset({"app"})
"""What our scrape configurations add to the series of til-queue's processes."""

TIL: dict[str, frozenset[str]] = {
    "til_connections": NONE,
    "til_doorbells_total": frozenset({"outcome"}),
    "til_engine_backpressure_seconds": NONE,
    "til_engine_backpressure_total": NONE,
    "til_engine_proof": frozenset({"what"}),
    "til_engine_ready": NONE,
    "til_engine_running": NONE,
    "til_engine_waiting": NONE,
    "til_event_streams": NONE,
    "til_http_request_seconds_bucket": frozenset({"route", "method", "status", "le"}),
    "til_http_request_seconds_count": frozenset({"route", "method", "status"}),
    "til_job_queue_seconds_bucket": frozenset({"le"}),
    "til_job_run_seconds_bucket": frozenset({"le"}),
    "til_jobs": frozenset({"model", "state"}),
    "til_jobs_finished_total": frozenset({"status"}),
    "til_lease_rescues_total": NONE,
    "til_loop_errors_total": frozenset({"loop"}),
    "til_model_slots": frozenset({"model"}),
    "til_oldest_queued_seconds": frozenset({"model"}),
    "til_queue_figures_age_seconds": NONE,
    "til_self_claims_total": NONE,
    "til_submissions_total": frozenset({"outcome"}),
    "til_tokens_total": frozenset({"kind"}),
    "til_webhook_delay_seconds_bucket": frozenset({"le"}),
    "til_webhook_deliveries_total": frozenset({"outcome"}),
    "til_workers": NONE,
    "til_workers_desired": frozenset({"model"}),
    "til_workers_lost_total": NONE,
}
TIL_WITH_VLLM = {f"til_engine_load_{kind}": frozenset({"stage"}) for kind in ("seconds", "stage")}
_VLLM = frozenset({"engine", "model_name"})
VLLM = {
    "vllm:generation_tokens_total": _VLLM,
    "vllm:inter_token_latency_seconds_bucket": _VLLM | {"le"},
    "vllm:kv_cache_usage_perc": _VLLM,
    "vllm:num_preemptions_total": _VLLM,
    "vllm:num_requests_running": _VLLM,
    "vllm:num_requests_waiting": _VLLM,
    "vllm:prefix_cache_hits_total": _VLLM,
    "vllm:prefix_cache_queries_total": _VLLM,
    "vllm:prompt_tokens_total": _VLLM,
    "vllm:time_to_first_token_seconds_bucket": _VLLM | {"le"},
}
NODE = dict.fromkeys(
    ("node_filesystem_avail_bytes", "node_filesystem_size_bytes"),
    frozenset({"device", "fstype", "mountpoint"}),
)
_TRITON = frozenset({"model", "version"})
_OTHERS = {
    "probe_success": NONE,
    "probe_ssl_earliest_cert_expiry": NONE,
    "nv_inference_pending_request_count": _TRITON,
    "nv_inference_queue_duration_us": _TRITON,
    "nv_inference_request_duration_us": _TRITON,
    "nv_inference_request_failure": _TRITON,
    "nv_inference_request_success": _TRITON,
    "nv_llm_input_token_len_sum": _TRITON,
    "nv_llm_output_token_len_sum": _TRITON,
    "nv_trt_llm_kv_cache_block_metrics": _TRITON | {"kv_cache_block_type"},
    "nv_trt_llm_request_metrics": _TRITON | {"request_type"},
}
_GPU = frozenset({"gpu", "UUID", "device", "modelName", "Hostname"})


def stored(name: str) -> frozenset[str]:
    """The labels with which Prometheus stores a series of this name, those of its target included.

    Raises KeyError for a name that no exporter is known to have.
    """
    if name in (ours := TIL | TIL_WITH_VLLM | VLLM):
        return ours[name] | TARGET | APP
    if name == "up":
        return TARGET | APP
    return (_GPU if name.startswith("DCGM_FI_") else (NODE | _OTHERS)[name]) | TARGET
