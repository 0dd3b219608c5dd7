"""A backend that submits days at a given pace, each until an api has accepted it."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from tests.stack.processes import day

SEED = 1
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Phase:
    """So many seconds in which so many jobs arrive each second, at random (a Poisson process)."""

    seconds: float
    jobs_per_second: float


class Load:
    """Submits in a thread of its own until the phases are over, or until `stop`.

    `urls`: the apis behind the balancer, to be replaced while it runs. `accepted`: the api that
    took each job, by the job's id, in order. `gave_up`: what no api took in `PATIENCE_SECONDS`.
    """

    def __init__(self, urls: list[str], key: str, phases: Sequence[Phase], webhook_url: str) -> None:
        self.urls = urls
        self.accepted: dict[str, str] = {}
        self.gave_up: list[str] = []
        self.retries = 0
        self._headers = {"Authorization": f"Bearer {key}"}
        self._phases = phases
        self._webhook = {"url": webhook_url}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._submit_all)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether there is more to come."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Submit no more; returns once the last one has been answered."""
        self._stopping.set()
        self._thread.join()

    def _submit_all(self) -> None:
        draw = random.Random(SEED)
        with httpx.Client(headers=self._headers, timeout=12) as client:
            began = time.monotonic()
            for phase in self._phases:
                ends, due = began + phase.seconds, began
                while (due := due + draw.expovariate(phase.jobs_per_second or 1e-9)) < ends:
                    if self._stopping.wait(max(0.0, due - time.monotonic())):
                        return
                    self._submit(client)
                self._stopping.wait(max(0.0, ends - time.monotonic()))
                began = ends

    def _submit(self, client: httpx.Client) -> None:
        """As any client does: after a refused connection or a 503 again, under the same key."""
        number = len(self.accepted) + len(self.gave_up)
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        body = day(repo=f"ada/engine-{number}", webhook=self._webhook)
        deadline, answered = time.monotonic() + PATIENCE_SECONDS, "nothing"
        while time.monotonic() < deadline:
            url = self.urls[(number + self.retries) % len(self.urls)]
            try:
                answer = client.post(f"{url}/v1/til", json=body, headers=headers)
            except httpx.TransportError as error:
                answered = repr(error)
            else:
                if answer.status_code in (200, 202):
                    self.accepted[str(answer.json()["id"])] = url
                    return
                answered = f"{answer.status_code} {answer.text}"
            self.retries += 1
            self._stopping.wait(0.2)
        self.gave_up.append(answered)
