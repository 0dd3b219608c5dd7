"""A minimal client of the api: submits a job and reads its state."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

DAY = {
    "username": "ada",
    "date": "2025-04-24",
    "repo": "ada/engine",
    "language": "en",
    "files": [
        {"filepath": "a.py", "patches": [{"commit_message": "fix: a", "patch": "@@ -1 +1 @@\n-a\n+b\n"}]},
    ],
}


class Client:
    """A client of one api with one key."""

    def __init__(self, address: str, key: str) -> None:
        self._address, self.key = address, key

    def submit(self, wait_seconds: int = 0) -> dict[str, Any]:
        """Submit a job; returns it once it has ended, or after `wait_seconds`."""
        prefer = {"Prefer": f"wait={wait_seconds}"} if wait_seconds else {}
        return self._ask("/v1/til", json.dumps(DAY).encode(), prefer)

    def job(self, job_id: str) -> dict[str, Any]:
        """The job's present state."""
        return self._ask(f"/v1/jobs/{job_id}", None, {})

    def _ask(self, path: str, body: bytes | None, headers: dict[str, str]) -> dict[str, Any]:
        headers = headers | {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._address}{path}", body, headers)  # noqa: S310 - http, our own
        with urllib.request.urlopen(request, timeout=70) as answer:  # noqa: S310 - http, our own
            return dict(json.load(answer))


def read(address: str, seconds: float = 60) -> Any:
    """A JSON document; retried for `seconds`. Raises OSError."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 - http, our own
                return json.load(answer)
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
