"""PostgreSQL away: 503 with Retry-After, nothing half-written, and back without a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from admin.migrate import migrate
from deploy.local.postgres import PostgresServer
from tests.stack.processes import Stack, day, until


@pytest.fixture
def own_postgres(server_folder: Path) -> Iterator[PostgresServer]:
    """A server of this test's own, which it may stop."""
    server = PostgresServer(server_folder / "data", {"fsync": "off"}, server_folder / "log")
    server.start()
    yield server
    server.stop()


def test_postgresql_away_is_503_with_retry_after_and_loses_nothing(
    own_postgres: PostgresServer, redis_url: str, tmp_path: Path
) -> None:
    asyncio.run(migrate(own_postgres.url))
    stack = Stack(own_postgres.url, redis_url, tmp_path)
    try:
        stack.api()
        with stack.client() as client:
            before = client.post("/v1/til", json=day(), headers={"Idempotency-Key": "a"}).json()
            own_postgres.stop()
            for answer in (
                client.post("/v1/til", json=day(), headers={"Idempotency-Key": "b"}),
                client.get(f"/v1/jobs/{before['id']}"),
                client.get("/v1/jobs"),
            ):
                assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
                assert int(answer.headers["retry-after"]) > 0
            ready = client.get("/readyz")
            assert (ready.status_code, ready.json()["postgres"]) == (503, "DatabaseUnavailable")
            assert client.get("/healthz").status_code == 200
            own_postgres.start()
            until(lambda: client.get("/readyz").status_code == 200)
            jobs = client.get("/v1/jobs").json()["jobs"]
            assert [job["id"] for job in jobs] == [before["id"]]
            assert client.post("/v1/til", json=day(), headers={"Idempotency-Key": "b"}).status_code == 202
    finally:
        stack.stop()
