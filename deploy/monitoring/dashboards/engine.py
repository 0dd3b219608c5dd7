"""The engines: metrics of all workers, then vLLM's, then Triton's."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.monitoring.dashboards.panels import Board, quantiles, rate


def board() -> Dashboard:
    """The dashboard."""
    board = Board("til-engine", "til-queue: engine", "Tokens, sequences, KV cache and prefix cache.")
    _workers(board)
    _vllm(board)
    _triton(board)
    return board.dashboard


def _workers(board: Board) -> None:
    board.row("All workers")
    board.graph(
        "Calls",
        "Calls that the engine runs, and calls that wait in it.",
        "short",
        ("{{instance}} running", "til_engine_running"),
        ("{{instance}} waiting", "til_engine_waiting"),
    )
    board.graph(
        "Ready",
        "1: ready.",
        "short",
        ("{{instance}} ready", "til_engine_ready"),
    )
    board.graph("Start", "Seconds of each stage.", "s", ("{{instance}} {{stage}}", "til_engine_load_seconds"))
    board.graph(
        "Tokens",
        "By worker.",
        "short",
        ("{{instance}} {{kind}}/s", rate("til_tokens_total", "instance, kind")),
    )
    _unusual(board)


def _unusual(board: Board) -> None:
    board.graph(
        "Backpressure",
        "Calls that the model server rejected, and the pause in seconds.",
        "short",
        ("{{instance}} calls/s", rate("til_engine_backpressure_total", "instance")),
        ("{{instance}} pause", "til_engine_backpressure_seconds"),
    )
    board.graph(
        "Proof of the model server",
        "Results of the proof of the openai engine: 1 yes, 0 no, none if unknown.",
        "short",
        ("{{instance}} {{what}}", "til_engine_proof"),
    )
    board.graph(
        "Jobs found without a doorbell",
        "If there are many, Redis loses doorbells.",
        "ops",
        ("{{instance}}", rate("til_self_claims_total", "instance")),
    )


def _vllm(board: Board) -> None:
    board.row("vLLM")
    board.graph(
        "Tokens",
        "Prompt tokens and generated tokens.",
        "short",
        ("{{instance}} prompt/s", rate("vllm:prompt_tokens_total", "instance")),
        ("{{instance}} generated/s", rate("vllm:generation_tokens_total", "instance")),
    )
    board.graph(
        "Sequences",
        "In the batch, and waiting for it.",
        "short",
        ("{{instance}} running", "sum by (instance) (vllm:num_requests_running)"),
        ("{{instance}} waiting", "sum by (instance) (vllm:num_requests_waiting)"),
    )
    board.graph(
        "KV cache", "Used.", "percentunit", ("{{instance}}", "max by (instance) (vllm:kv_cache_usage_perc)")
    )
    hits, queries = (rate(f"vllm:prefix_cache_{name}_total", "instance") for name in ("hits", "queries"))
    board.graph(
        "Prefix cache",
        "Share of prompt tokens found in the cache.",
        "percentunit",
        ("{{instance}}", f"{hits} / {queries}"),
    )
    _vllm_waits(board)


def _vllm_waits(board: Board) -> None:
    board.graph(
        "Preemptions",
        "Sequences that are recomputed for lack of KV cache.",
        "ops",
        ("{{instance}}", rate("vllm:num_preemptions_total", "instance")),
    )
    board.graph(
        "Latency of the first and of further tokens",
        "",
        "s",
        *[(f"first {name}", query) for name, query in quantiles("vllm:time_to_first_token_seconds")],
        *[(f"next {name}", query) for name, query in quantiles("vllm:inter_token_latency_seconds")],
    )


def _triton(board: Board) -> None:
    board.row("Triton")
    board.graph(
        "Tokens",
        "Prompt tokens and generated tokens (TensorRT-LLM backend).",
        "short",
        ("{{model}} prompt/s", rate("nv_llm_input_token_len_sum", "model")),
        ("{{model}} generated/s", rate("nv_llm_output_token_len_sum", "model")),
    )
    board.graph(
        "Requests",
        "In the batch and waiting (TensorRT-LLM backend), and pending in the server.",
        "short",
        ("{{model}} running", 'sum by (model) (nv_trt_llm_request_metrics{request_type="active"})'),
        ("{{model}} waiting", 'sum by (model) (nv_trt_llm_request_metrics{request_type="waiting"})'),
        ("{{model}} pending", "sum by (model) (nv_inference_pending_request_count)"),
    )
    used, most, reused = (
        f'max by (model) (nv_trt_llm_kv_cache_block_metrics{{kv_cache_block_type="{kind}"}})'
        for kind in ("used", "max", "reused")
    )
    board.graph("KV cache", "Used blocks.", "percentunit", ("{{model}}", f"{used} / {most}"))
    board.graph("Prefix cache", "Reused blocks.", "short", ("{{model}}", reused))
    _triton_responses(board)


def _triton_responses(board: Board) -> None:
    board.graph(
        "Responses",
        "",
        "reqps",
        ("{{model}} success", rate("nv_inference_request_success", "model")),
        ("{{model}} failure", rate("nv_inference_request_failure", "model")),
    )
    seconds = rate("nv_inference_request_duration_us", "model")
    queued = rate("nv_inference_queue_duration_us", "model")
    answers = rate("nv_inference_request_success", "model")
    board.graph(
        "Mean latency",
        "Of a request, and of its time in Triton's queue.",
        "µs",
        ("{{model}} request", f"{seconds} / {answers}"),
        ("{{model}} queue", f"{queued} / {answers}"),
    )
