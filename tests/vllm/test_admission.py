"""A worker with more slots than its cache has room for: order holds, nothing starves or is preempted."""

from __future__ import annotations

from pathlib import Path

from tests.stack.jobs import Jobs
from tests.stack.processes import Process, Stack, until
from tests.vllm.conftest import CPU
from tests.worker.test_write import large

SLOTS = 12
LEASE = {"TIL_LEASE_SECONDS": "9"}
AT_ONCE = 3
"""Posts of the usual size for which there is room."""
PROFILE = """
model = "{model}"
max_model_len = 4096
max_num_seqs = {slots}
block_size = 32
num_gpu_blocks_override = {blocks}
enforce_eager = true
hf_overrides = {{ sliding_window = 64 }}
"""


def small_cache(folder: Path, model: Path) -> dict[str, str]:
    """The settings of a worker whose cache holds one batch, the null block and `AT_ONCE` posts."""
    post, batch = -(-2900 // 32) + 4, 4096 // 32
    profile = folder / "small.toml"
    blocks = AT_ONCE * post + batch + 1
    profile.write_text(PROFILE.format(model=model, slots=SLOTS, blocks=blocks))
    return {**CPU, **LEASE, "TIL_ENGINE": "vllm", "TIL_PROFILE": str(profile)}


def metric(worker: Process, name: str) -> float:
    lines = [line for line in worker.metrics().splitlines() if line.startswith(name)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def test_jobs_start_in_order_as_room_appears_and_none_is_preempted(
    stack: Stack, jobs: Jobs, tiny_model: Path, tmp_path: Path
) -> None:
    stack.steward(**LEASE)
    ids = [jobs.submit() for _ in range(8)]
    files = [file.model_dump() for file in large(8).files]
    ids.append(jobs.submit(files=files))
    ids += [jobs.submit() for _ in range(7)]
    worker = stack.worker(**small_cache(tmp_path, tiny_model))
    most = 0

    def all_ended() -> bool:
        nonlocal most
        found = jobs.all()
        most = max(most, sum(job["status"] == "running" for job in found))
        return all(job["finished_at"] for job in found)

    until(all_ended, 240)
    ended = [jobs.get(i) for i in ids]
    assert {(job["status"], job["attempts"]) for job in ended} == {("succeeded", 1)}
    assert 1 < most <= AT_ONCE + 1 < SLOTS
    starts = [job["started_at"] for job in ended]
    assert starts == sorted(starts)
    assert ended[8]["usage"]["calls"] > 2
    assert metric(worker, "vllm:num_preemptions_total") == 0
    assert metric(worker, "vllm:generation_tokens_total") > 1000
    assert worker.stop() == 0
