"""Where a model comes from, and what a worker tells while it loads."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from vllm import AsyncEngineArgs

from base.database import ADMIN, Database
from tests.stack.processes import Process, Stack, until
from tests.vllm.conftest import CPU
from worker.engines import EngineFailed
from worker.engines.loading import STAGES
from worker.engines.vllm import VllmEngine
from worker.engines.vllm_model import source_of, streamed
from worker.engines.weights import digest

MODEL = "til/tiny"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
PROFILE = """
model = "til/tiny"
max_model_len = 4096
max_num_seqs = 3
enforce_eager = true
"""


def hub_cache(model: Path, home: Path) -> Path:
    """The model as the hub's client keeps it: blobs by digest, a snapshot of links, a branch."""
    repo = home / "hub" / "models--til--tiny"
    snapshot = repo / "snapshots" / COMMIT
    for folder in (repo / "blobs", repo / "refs", snapshot):
        folder.mkdir(parents=True)
    for path in model.iterdir():
        name = hashlib.sha256(path.read_bytes()).hexdigest()
        shutil.copyfile(path, repo / "blobs" / name)
        (snapshot / path.name).symlink_to(Path("../../blobs") / name)
    (repo / "refs" / "main").write_text(COMMIT)
    return snapshot


def logged(process: Process, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in process.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("event") == event]


def metric(metrics: str, name: str) -> float:
    return next(
        (float(line.split()[-1]) for line in metrics.splitlines() if line.startswith(f"{name} ")), 0.0
    )


def workers(stack: Stack) -> list[int]:
    """The slots of each worker that is registered."""

    async def ask() -> list[int]:
        database = Database(stack.database_url, ADMIN)
        async with database.session() as session:
            found = list((await session.execute(text("SELECT slots FROM workers"))).scalars())
        await database.close()
        return found

    return asyncio.run(ask())


def test_a_worker_is_ready_when_it_has_loaded_generated_and_registered(
    stack: Stack, tiny_model: Path, tmp_path: Path
) -> None:
    snapshot = hub_cache(tiny_model, tmp_path / "home")
    profile = tmp_path / "tiny.toml"
    profile.write_text(PROFILE)
    worker = stack.start(
        "worker", **CPU, TIL_ENGINE="vllm", TIL_PROFILE=str(profile), HF_HOME=str(tmp_path / "home")
    )
    seen: list[str] = []

    def ready() -> bool:
        metrics = worker.metrics()
        assert worker.popen.poll() is None, worker.log.read_text()
        seen.extend(s for s in STAGES if metric(metrics, f'til_engine_load_stage{{stage="{s}"}}'))
        is_ready = metric(metrics, "til_engine_ready") == 1
        assert is_ready or not metric(metrics, "til_engine_running")
        return is_ready

    until(ready, 180)
    assert workers(stack) == [3]
    assert (seen[0], seen[-1]) == ("load", "ready")
    took = [metric(worker.metrics(), f'til_engine_load_seconds{{stage="{stage}"}}') for stage in STAGES]
    assert min(took) > 0
    assert took[-1] == pytest.approx(sum(took[:-1]), rel=0.2)
    assert [line["stage"] for line in logged(worker, "engine_stage_done")] == list(STAGES[:-1])
    (told,) = logged(worker, "engine_ready")
    assert (told["model"], told["weights_digest"]) == (f"{MODEL}@{COMMIT}", digest(tiny_model))
    assert digest(snapshot) == digest(tiny_model)
    assert [line["commit"] for line in logged(worker, "model_not_pinned")] == [COMMIT]


def test_a_model_that_is_nowhere_is_named_in_one_sentence() -> None:
    for revision in (None, "main"):
        with pytest.raises(EngineFailed, match=r"^TIL_MODEL is nobody/nothing.*isn't found on the hub\.$"):
            source_of("nobody/nothing", revision)


def test_a_revision_is_for_the_hub_only(tmp_path: Path) -> None:
    for model in (str(tmp_path), "gs://models/gemma"):
        with pytest.raises(EngineFailed, match="TIL_MODEL_REVISION is for a hub id"):
            source_of(model, COMMIT)


def test_object_storage_needs_its_streamer() -> None:
    with pytest.raises(EngineFailed, match="runai-model-streamer is not installed"):
        source_of("gs://models/gemma", None)


def test_weights_in_object_storage_are_streamed_and_named_by_what_was_published_beside_them() -> None:
    source = streamed("gs://models/gemma")
    made = AsyncEngineArgs(**source.arguments)
    assert (made.model, made.load_format) == ("gs://models/gemma", "runai_streamer")
    assert (source.name, source.folder, source.weights_bytes()) == ("gs://models/gemma", None, None)


async def test_a_key_that_vllm_does_not_know_is_named_in_one_sentence(tiny_model: Path) -> None:
    engine = VllmEngine(str(tiny_model), max_sequences=3)
    with pytest.raises(EngineFailed, match=r"^The profile sets max_sequences, which vLLM [0-9.]+"):
        await engine.start()


async def test_a_value_that_vllm_refuses_is_named_in_one_sentence(tiny_model: Path) -> None:
    engine = VllmEngine(str(tiny_model), max_model_len=1024, gpu_memory_utilization=92)
    with pytest.raises(EngineFailed, match="gpu_memory_utilization") as raised:
        await engine.start()
    assert "\n" not in str(raised.value)
