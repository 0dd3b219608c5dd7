"""A worker's metrics, and its tokens a second over the last half minute."""

from __future__ import annotations

import time
from collections import deque

from prometheus_client import Counter, Gauge, Histogram

WINDOW_SECONDS = 30.0
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 3600)

QUEUE_SECONDS = Histogram(
    "til_job_queue_seconds", "Seconds from the submit of a job to its first claim.", buckets=BUCKETS
)
RUN_SECONDS = Histogram(
    "til_job_run_seconds", "Seconds from the claim of a job until its outcome is written.", buckets=BUCKETS
)
TOKENS = Counter("til_tokens_total", "Tokens by kind.", ["kind"])
RUNNING = Gauge("til_engine_running", "Calls that the engine is generating.")
WAITING = Gauge("til_engine_waiting", "Calls that wait inside the engine.")
DOORBELLS_IGNORED = Counter("til_doorbells_ignored_total", "Doorbells for which no job was claimed.", ["why"])
SELF_CLAIMS = Counter("til_self_claims", "Claims that a worker began because no doorbells came.")
BACKPRESSURE = Counter("til_engine_backpressure", "Calls that the engine's server did not take (429, 503).")
BACKPRESSURE_SECONDS = Gauge(
    "til_engine_backpressure_seconds", "Seconds until calls are sent again; 0: they are sent."
)
PROOF = Gauge("til_engine_proof", "1 if the model's server was seen to do it, 0 if not.", ["what"])
READY = Gauge("til_engine_ready", "1 when the engine is loaded and answers.")


def export_proof(**results: bool | None) -> None:
    """Set `til_engine_proof`; a result of None has no series."""
    for what, result in results.items():
        if result is None:
            PROOF.remove(what)
        else:
            PROOF.labels(what).set(result)


class TokenRate:
    """Completion tokens a second, over the last `WINDOW_SECONDS`."""

    def __init__(self) -> None:
        self._counts: deque[tuple[float, int]] = deque()

    def add(self, tokens: int) -> None:
        """Count tokens that were just generated."""
        if tokens > 0:
            self._counts.append((time.monotonic(), tokens))

    def per_second(self) -> float:
        """The rate now."""
        oldest = time.monotonic() - WINDOW_SECONDS
        while self._counts and self._counts[0][0] < oldest:
            self._counts.popleft()
        return sum(tokens for _, tokens in self._counts) / WINDOW_SECONDS
