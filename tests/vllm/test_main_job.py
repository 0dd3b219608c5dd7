"""The main job on real vLLM: API, PostgreSQL, Valkey, Celery, one shared AsyncLLM, result, signed webhook."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.monitoring.labels import TIL_WITH_VLLM, VLLM
from tests.monitoring.named import WITH_VLLM, named, sampled_labels, series
from tests.stack.jobs import Jobs
from tests.stack.processes import Stack, day, until
from tests.stack.receiver import Receiver
from tests.vllm.conftest import CPU

JOBS = 30


def test_many_jobs_share_one_engine_and_overlap_in_it(stack: Stack, tiny_model: Path) -> None:
    receiver = Receiver(stack.keys["webhook_secret"])
    stack.api()
    stack.steward()
    engine = {
        "TIL_ENGINE": "vllm",
        "TIL_MODEL": str(tiny_model),
        "TIL_MAX_MODEL_LEN": "8192",
        "TIL_ENFORCE_EAGER": "1",
        "TIL_SLOTS": str(JOBS),
    }
    worker = stack.worker(**CPU, **engine)
    most = 0
    options = {"max_output_tokens": 4096, "temperature": 0.9}
    with stack.client() as client:
        bodies = [
            day(repo=f"ada/r{n}", webhook={"url": receiver.url}, options=options | {"seed": n})
            for n in range(JOBS)
        ]
        submitter = Jobs(client)
        ids = [submitter.submit(**body) for body in bodies]

        def all_ended() -> bool:
            nonlocal most
            most = max(most, _running(worker.metrics()))
            return all(job["finished_at"] for job in submitter.all())

        until(all_ended, 240)
        jobs = [submitter.get(i) for i in ids]
    assert {(job["status"], job["error"] and job["error"]["code"]) for job in jobs} == {("succeeded", None)}
    assert most >= JOBS // 2
    for job in jobs:
        cited = {s for section in job["result"]["sections"] for p in section["points"] for s in p["sources"]}
        assert cited <= {"4f2a91c0", "src/mill.py"}
        assert job["provenance"]["engine"] == "vllm"
        assert len(job["provenance"]["weights_digest"]) == 64
        assert job["usage"]["completion_tokens"] > 50
    until(lambda: len(receiver.messages) == JOBS, 30)
    receiver.close()
    assert receiver.refused == []
    assert {message["data"]["id"] for message in receiver.messages} == set(ids)
    _tells_what_rules_and_dashboards_ask(worker.metrics())
    assert worker.stop() == 0


def _tells_what_rules_and_dashboards_ask(metrics: str) -> None:
    asked, told = named("vllm:") | WITH_VLLM, series(text_string_to_metric_families(metrics))
    assert len(asked) >= 8
    assert asked <= told, asked - told
    found = sampled_labels(metrics)
    for name, labels in (VLLM | TIL_WITH_VLLM).items():
        assert found[name], name
        assert all(labels <= real for real in found[name]), (name, found[name])


def _running(metrics: str) -> int:
    """The engine's own count, as vLLM exports it; ours must say the same."""
    lines = metrics.splitlines()
    theirs = [
        float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("vllm:num_requests_running{")
    ]
    ours = [float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("til_engine_running ")]
    assert theirs
    assert abs(sum(theirs) - sum(ours)) <= JOBS // 2
    return int(sum(theirs))
