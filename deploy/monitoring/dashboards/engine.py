"""The engines: what every worker tells, then vLLM's own metrics, then Triton's."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.monitoring.dashboards.panels import Board, quantiles, rate


def board() -> Dashboard:
    """The dashboard."""
    made = Board("til-engine", "til-queue: engine", "Tokens, sequences, KV cache and prefix cache.")
    _workers(made)
    _vllm(made)
    _triton(made)
    return made.made


def _workers(made: Board) -> None:
    made.row("Workers, whatever their engine")
    made.graph(
        "Calls",
        "That the engine generates, and that wait in it.",
        "short",
        ("{{instance}} running", "til_engine_running"),
        ("{{instance}} waiting", "til_engine_waiting"),
    )
    made.graph(
        "Start",
        "1: ready. Below, the seconds of each stage of the start.",
        "short",
        ("{{instance}} ready", "til_engine_ready"),
    )
    made.graph("Start, by stage", "", "s", ("{{instance}} {{stage}}", "til_engine_load_seconds"))
    made.graph(
        "Tokens",
        "By worker.",
        "short",
        ("{{instance}} {{kind}}/s", rate("til_tokens_total", "instance, kind")),
    )
    _odd(made)


def _odd(made: Board) -> None:
    made.graph(
        "Backpressure",
        "Calls that the model's server did not take, and seconds until calls are sent again.",
        "short",
        ("{{instance}} calls/s", rate("til_engine_backpressure_total", "instance")),
        ("{{instance}} pause", "til_engine_backpressure_seconds"),
    )
    made.graph(
        "Proof of the model's server",
        "What a server behind the openai engine was seen to do: 1 yes, 0 no, no line unknown.",
        "short",
        ("{{instance}} {{what}}", "til_engine_proof"),
    )
    made.graph(
        "Jobs found without a doorbell",
        "More than a few mean that Redis drops doorbells.",
        "ops",
        ("{{instance}}", rate("til_self_claims_total", "instance")),
    )


def _vllm(made: Board) -> None:
    made.row("vLLM")
    made.graph(
        "Tokens",
        "Prompts read, and text written.",
        "short",
        ("{{instance}} prompt/s", rate("vllm:prompt_tokens_total", "instance")),
        ("{{instance}} written/s", rate("vllm:generation_tokens_total", "instance")),
    )
    made.graph(
        "Sequences",
        "In the batch, and waiting for room in it.",
        "short",
        ("{{instance}} running", "sum by (instance) (vllm:num_requests_running)"),
        ("{{instance}} waiting", "sum by (instance) (vllm:num_requests_waiting)"),
    )
    made.graph(
        "KV cache", "Used.", "percentunit", ("{{instance}}", "max by (instance) (vllm:kv_cache_usage_perc)")
    )
    hits, asked = (rate(f"vllm:prefix_cache_{name}_total", "instance") for name in ("hits", "queries"))
    made.graph(
        "Prefix cache",
        "Tokens of prompts that were there already.",
        "percentunit",
        ("{{instance}}", f"{hits} / {asked}"),
    )
    _vllm_waits(made)


def _vllm_waits(made: Board) -> None:
    made.graph(
        "Preemptions",
        "Sequences that are computed again for lack of KV cache.",
        "ops",
        ("{{instance}}", rate("vllm:num_preemptions_total", "instance")),
    )
    made.graph(
        "First token, and each further one",
        "",
        "s",
        *[(f"first {name}", query) for name, query in quantiles("vllm:time_to_first_token_seconds")],
        *[(f"next {name}", query) for name, query in quantiles("vllm:inter_token_latency_seconds")],
    )


def _triton(made: Board) -> None:
    made.row("Triton")
    made.graph(
        "Tokens",
        "Read and written, with its TensorRT-LLM backend.",
        "short",
        ("{{model}} prompt/s", rate("nv_llm_input_token_len_sum", "model")),
        ("{{model}} written/s", rate("nv_llm_output_token_len_sum", "model")),
    )
    made.graph(
        "Requests",
        "In the batch and waiting (TensorRT-LLM backend), and those that the server itself holds back.",
        "short",
        ("{{model}} running", 'sum by (model) (nv_trt_llm_request_metrics{request_type="active"})'),
        ("{{model}} waiting", 'sum by (model) (nv_trt_llm_request_metrics{request_type="waiting"})'),
        ("{{model}} pending", "sum by (model) (nv_inference_pending_request_count)"),
    )
    blocks = "max by (model) (nv_trt_llm_kv_cache_block_metrics{{kv_cache_block_type={0!r}}})"
    used, most, reused = (blocks.format(kind).replace("'", '"') for kind in ("used", "max", "reused"))
    made.graph("KV cache", "Used blocks.", "percentunit", ("{{model}}", f"{used} / {most}"))
    made.graph("Prefix cache", "Blocks that were there already.", "short", ("{{model}}", reused))
    _triton_answers(made)


def _triton_answers(made: Board) -> None:
    made.graph(
        "Answers",
        "",
        "reqps",
        ("{{model}} success", rate("nv_inference_request_success", "model")),
        ("{{model}} failure", rate("nv_inference_request_failure", "model")),
    )
    seconds = rate("nv_inference_request_duration_us", "model")
    queued = rate("nv_inference_queue_duration_us", "model")
    answers = rate("nv_inference_request_success", "model")
    made.graph(
        "Mean latency",
        "Of a request, and its part in Triton's queue.",
        "µs",
        ("{{model}} request", f"{seconds} / {answers}"),
        ("{{model}} queue", f"{queued} / {answers}"),
    )
