"""The openai engine and its proof against vLLM's own OpenAI-compatible server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from deploy.local.valkey import free_port
from tests.stack.processes import until
from tests.worker.model_server import post_of
from tests.worker.test_openai import KEY
from worker import metrics
from worker.engines import openai, proof
from worker.engines.openai import OpenAIEngine

pytestmark = pytest.mark.asyncio(loop_scope="module")
GRAMMAR = {"backend": "guidance", "disable_any_whitespace": True}
"""Without it a model with random weights may generate whitespace endlessly."""


@pytest.fixture(scope="module")
def url(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a vLLM server with the tiny model."""
    port, log = free_port(), tmp_path_factory.mktemp("server") / "log"
    arguments = {
        "model": str(tiny_model),
        "served-model-name": "tiny",
        "api-key": KEY,
        "host": "127.0.0.1",
        "port": str(port),
        "max-model-len": "8192",
        "max-num-seqs": "8",
        "structured-outputs-config": json.dumps(GRAMMAR),
    }
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--enforce-eager"]
    command += [part for name, value in arguments.items() for part in (f"--{name}", value)]
    with log.open("wb") as out:
        server = subprocess.Popen(command, env=os.environ, stdout=out, stderr=out, start_new_session=True)
    try:
        until(lambda: healthy(port, server, log), 300, 0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(60)


def healthy(port: int, server: subprocess.Popen[bytes], log: Path) -> bool:
    """Whether it serves. If the server has ended, the test fails with the end of its log."""
    assert server.poll() is None, log.read_text()[-3000:]
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health").is_success
    except httpx.TransportError:
        return False


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(url: str) -> AsyncIterator[OpenAIEngine]:
    made = OpenAIEngine(url, KEY, "tiny")
    with pytest.MonkeyPatch.context() as patch:  # Long limits, for slow machines.
        patch.setattr(openai, "PROOF_SECONDS", 600.0)
        for name in ("CALL_SECONDS", "NEXT_CALL_SECONDS", "COUNT_SECONDS"):
            patch.setattr(proof, name, 120.0)
        await made.start()
    yield made
    await made.close()


async def test_vllm_enforces_schemas_honours_seeds_and_stops_aborted_calls(
    url: str, engine: OpenAIEngine
) -> None:
    exported = {sample.labels["what"]: sample.value for sample in next(iter(metrics.PROOF.collect())).samples}
    assert exported == {"schema": 1, "seed": 1, "abort": 1}
    assert engine.info.enforces_schema
    async with httpx.AsyncClient() as client:
        page = await client.get(url.removesuffix("/v1") + "/metrics")
    written = [line for line in page.text.splitlines() if line.startswith("vllm:generation_tokens_total")]
    assert 0 < sum(float(line.rsplit(" ", 1)[1]) for line in written) < proof.LONG_TOKENS


async def test_a_post_has_an_enforced_schema(engine: OpenAIEngine) -> None:
    post = await post_of(engine)
    assert post.provenance["schema"] == "enforced"
    assert len(post.result.sections) == 6
