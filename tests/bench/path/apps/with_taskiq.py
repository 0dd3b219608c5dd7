"""FastAPI and taskiq: the request travels through Redis, the result goes into PostgreSQL.

A crash loses what Redis and the worker held; nobody is authenticated, and nothing is redacted or idempotent.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from taskiq_pg.asyncpg import AsyncpgResultBackend
from taskiq_redis import ListQueueBroker

from tests.bench.path.bodies import POST
from til.request import TilRequest

SECONDS = float(os.environ.get("BENCH_SECONDS") or 0)
results: Any = AsyncpgResultBackend(dsn=os.environ.get("DATABASE_URL", ""), table_name="taskiq_jobs")
broker = ListQueueBroker(os.environ.get("REDIS_URL", "")).with_result_backend(results)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Connect."""
    await broker.startup()
    yield
    await broker.shutdown()


app = FastAPI(lifespan=lifespan)


@app.post("/v1/til")
async def submit(til: TilRequest) -> JSONResponse:
    """A task that has all of the request."""
    task = await run.kiq(til.model_dump(mode="json"))
    return JSONResponse({"id": task.task_id, "status": "queued"}, 202)


@app.get("/v1/jobs/{job_id}")
async def show(job_id: str) -> JSONResponse:
    """The result, when there is one."""
    if not await results.is_result_ready(job_id):
        return JSONResponse({"id": job_id, "status": "queued"})
    found = await results.get_result(job_id)
    return JSONResponse({"id": job_id, "status": "succeeded", "result": found.return_value})


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """It serves."""
    return {"status": "ok"}


@broker.task  # type: ignore[untyped-decorator]
async def run(_: dict[str, Any]) -> dict[str, Any]:
    """Write the post."""
    await asyncio.sleep(SECONDS)
    return POST
