"""FastAPI, SQLAlchemy, Celery and Redis, as most people would write a queue: a row, a task, an update.

A crash may lose a job here, nobody is authenticated, and nothing is redacted, fenced or idempotent.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from celery import Celery
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from sqlalchemy import create_engine
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from base.database import asyncpg_url
from tests.bench.path.bodies import POST
from til.request import TilRequest

DATABASE_URL = os.environ.get("DATABASE_URL", "")
SECONDS = float(os.environ.get("BENCH_SECONDS") or 0)
queue = Celery("plain", broker=os.environ.get("REDIS_URL"))
queue.conf.update(task_ignore_result=True, worker_prefetch_multiplier=4)


class Table(DeclarativeBase):
    """The tables."""


class PlainJob(Table):
    """A job."""

    __tablename__ = "plain_jobs"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    status: Mapped[str] = mapped_column(default="queued", index=True)
    request: Mapped[dict[str, Any]] = mapped_column(JSONB)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


if DATABASE_URL:
    engine = create_engine(
        DATABASE_URL.replace("postgresql://", "postgresql+psycopg://"), pool_size=32, max_overflow=0
    )
    sessions = async_sessionmaker(
        create_async_engine(asyncpg_url(DATABASE_URL), pool_size=32), expire_on_commit=False
    )


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Make the tables."""
    Table.metadata.create_all(engine)
    yield


app = FastAPI(lifespan=lifespan)


@app.post("/v1/til")
async def submit(til: TilRequest) -> JSONResponse:
    """A row, then a task."""
    job = PlainJob(request=til.model_dump(mode="json"))
    async with sessions() as session:
        session.add(job)
        await session.commit()
    run.delay(str(job.id))
    return JSONResponse({"id": str(job.id), "status": job.status}, 202)


@app.get("/v1/jobs/{job_id}")
async def show(job_id: uuid.UUID) -> JSONResponse:
    """The job."""
    async with sessions() as session:
        job = await session.get_one(PlainJob, job_id)
    return JSONResponse({"id": str(job.id), "status": job.status, "result": job.result})


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """It serves."""
    return {"status": "ok"}


@queue.task  # type: ignore[untyped-decorator]
def run(job_id: str) -> None:
    """Write the post."""
    with Session(engine) as session:
        job = session.get_one(PlainJob, uuid.UUID(job_id))
        job.status = "running"
        session.commit()
        time.sleep(SECONDS)
        job.result, job.status = POST, "succeeded"
        session.commit()
