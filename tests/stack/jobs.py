"""The jobs of a stack, for tests of the whole stack."""

from __future__ import annotations

import uuid
from typing import Any

import httpx

from tests.stack.processes import day, until

TRIES = 6
SHORT = {"TIL_LEASE_SECONDS": "2"}


class Jobs:
    """The jobs of a stack's tenant, through its API."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def submit(self, **more: Any) -> str:
        """Submit a day; the job's id. As any client does: after a 503 again, under the same key."""
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        answer = self._ask("POST", "/v1/til", json=day(**more), headers=headers)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        for _ in range(TRIES):
            answer = self.client.request(method, path, **more)
            if answer.status_code != 503:
                break
        return answer

    def get(self, job_id: str, wait: int | None = None) -> dict[str, Any]:
        """The job, after its end or `wait` seconds."""
        answer = self._ask("GET", f"/v1/jobs/{job_id}", params={"wait": wait} if wait else {})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def all(self, **filters: Any) -> list[dict[str, Any]]:
        """The newest hundred jobs at most."""
        answer = self._ask("GET", "/v1/jobs", params={"limit": 100, **filters})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["jobs"]
        return found

    def history(self, job_id: str) -> list[str]:
        """What happened to the job."""
        events = self._ask("GET", f"/v1/jobs/{job_id}/history").json()["events"]
        return [event["event"] for event in events]

    def until_running(self, *job_ids: str, seconds: float = 20) -> None:
        """Wait until each of them runs."""
        until(lambda: {self.get(i)["status"] for i in job_ids} == {"running"}, seconds)
