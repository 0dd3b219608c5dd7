"""A proof that fails for a reason that nobody foresaw."""

from __future__ import annotations

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from tests.worker.model_server import ModelServer, post_of, started_engine
from worker.engines import openai


async def crash(_: object) -> bool:
    raise RuntimeError("Nobody foresaw it.")


async def test_a_crashed_proof_is_logged_and_keeps_no_connection_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = ModelServer()
    with capture_logs() as logs:
        async with started_engine(server) as engine:
            monkeypatch.setattr(openai, "honours_seed", crash)
            monkeypatch.setattr(engine, "_retry_at", time.monotonic())
            assert await engine.alive()
            async with asyncio.timeout(20):
                while "engine_proof_crashed" not in [line["event"] for line in logs]:
                    await asyncio.sleep(0.01)
    with pytest.raises(RuntimeError, match="closed"):
        await post_of(engine)
