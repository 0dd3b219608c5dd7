"""A FastAPI endpoint that validates a request and does nothing with it."""

from __future__ import annotations

import uuid

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from til.request import TilRequest

app = FastAPI()


@app.post("/v1/til")
async def submit(til: TilRequest) -> JSONResponse:
    """Validate and answer."""
    return JSONResponse({"id": str(uuid.uuid4()), "status": "queued", "repo": til.repo}, 202)


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """It serves."""
    return {"status": "ok"}
