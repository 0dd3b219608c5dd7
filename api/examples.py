"""Examples of requests and answers for the OpenAPI document."""

from __future__ import annotations

from typing import Any

REQUEST: Any = {
    "a day with one commit": {
        "value": {
            "username": "ada",
            "date": "2025-04-24",
            "repo": "ada/engine",
            "language": "en",
            "files": [
                {
                    "filepath": "src/mill.py",
                    "latest_code": "def turn(crank):\n    return crank + 1\n",
                    "patches": [
                        {
                            "commit_message": "fix: the crank turns forward",
                            "patch": "@@ -1,2 +1,2 @@\n def turn(crank):\n-    return crank\n+    return crank + 1\n",  # noqa: E501
                            "sha": "4f2a91c",
                        }
                    ],
                }
            ],
            "webhook": {"url": "https://example.com/hooks/til", "events": ["succeeded", "failed"]},
        }
    }
}

QUEUED: dict[str, Any] = {
    "id": "01966c3e-5f3a-7cc1-9d55-2f6f1c1f0a11",
    "status": "queued",
    "username": "ada",
    "date": "2025-04-24",
    "repo": "ada/engine",
    "language": "en",
    "model": "default",
    "priority": 0,
    "batch_id": None,
    "reused": False,
    "created_at": "2025-04-24T18:00:00.000Z",
    "started_at": None,
    "finished_at": None,
    "attempts": 0,
    "retry_of": None,
    "replay_of": None,
    "cancel_requested": False,
    "position": 12,
    "wait": {"low_seconds": 30, "high_seconds": 70},
    "waiting_for": "capacity",
    "progress": None,
    "result": None,
    "partial_text": None,
    "error": None,
    "usage": None,
    "provenance": None,
    "redactions": [],
    "webhook": {
        "url": "https://example.com/hooks/til",
        "state": "none",
        "attempts": 0,
        "last_status": None,
        "next_attempt_at": None,
    },
    "metadata": {},
}


def _json(value: Any) -> dict[str, Any]:
    return {"application/json": {"example": value}}


def problem_answer(status: int, code: str, detail: str) -> dict[int | str, Any]:
    """The entry of one problem among the `responses` of a route."""
    example = {
        "type": f"/problems/{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": "8f0c5c8e",
    }
    return {status: {"description": detail, "content": {"application/problem+json": {"example": example}}}}


JOB = _json(QUEUED)
JOBS = _json({"jobs": [QUEUED], "next_cursor": None})
HISTORY = _json(
    {
        "events": [
            {
                "at": "2025-04-24T18:00:00.000Z",
                "event": "submit",
                "status": "queued",
                "claim_no": 0,
                "worker_id": None,
            }
        ]
    }
)
QUEUE = _json(
    {
        "queued": 12,
        "running": 30,
        "workers": 1,
        "slots": 30,
        "oldest_queued_seconds": 8.4,
        "tokens_per_second": 610.0,
        "workers_desired": 2,
    }
)
NOT_FOUND = problem_answer(404, "not_found", "There is no such job.")
SUBMIT_PROBLEMS: dict[int | str, Any] = {
    **problem_answer(
        422,
        "invalid_request",
        "`invalid_request`: `errors` says where. Or `idempotency_key_reused`, `webhook_url_forbidden`.",
    ),
    **problem_answer(
        503,
        "database_unavailable",
        "`database_unavailable`, `queue_full`: try again after `Retry-After`, with the same Idempotency-Key.",
    ),
}
