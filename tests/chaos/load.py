"""The users of the cluster: backends that submit and cancel, and the receiver of their webhooks."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
from standardwebhooks import Webhook

from tests.chaos.cluster import Cluster
from tests.stack.processes import day

CANCELLED_SHARE = 0.03


class Consumer:
    """Receives webhooks: `mode` is "up", "down" (503) or "slow" (longer than the sender waits)."""

    def __init__(self, secret: str) -> None:
        self.mode = "up"
        self.received: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.refused: list[str] = []
        self._lock = threading.Lock()
        self._verifier = Webhook(secret)
        consumer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                body = self.rfile.read(length)
                if len(body) < length:
                    return  # The sender was killed in the middle of it.
                self.send_response(consumer.take(body, dict(self.headers.items())))
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing to say."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, body: bytes, headers: dict[str, str]) -> int:
        """The status to answer with; 204 has kept the message."""
        if self.mode == "down":
            return 503
        if self.mode == "slow":
            time.sleep(4)
        names = {name.lower(): value for name, value in headers.items()}
        try:
            message = self._verifier.verify(body, names)
        except Exception as error:  # noqa: BLE001 - the library's and JSON's, shown in the table
            self.refused.append(repr(error))
            return 400
        with self._lock:
            self.received[(message["data"]["id"], message["type"])].append(names["webhook-id"])
        return 204

    def recover(self) -> None:
        """Back to normal."""
        self.mode = "up"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class Backends:
    """Submit `count` jobs within about `seconds`, each until an api has accepted it."""

    def __init__(self, cluster: Cluster, consumer: Consumer, count: int, seconds: float, seed: int) -> None:
        self.accepted: dict[str, str] = {}
        self.gave_up: list[str] = []
        self.retries = 0
        self._cluster = cluster
        self._url = consumer.url
        self._until = time.monotonic() + seconds
        self._left = iter(range(count))
        self._count = count
        self._seconds = seconds
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._submit_all, args=(seed + n,)) for n in range(4)]
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        """Until the last one has been accepted."""
        for thread in self._threads:
            thread.join()

    def _next(self) -> int | None:
        with self._lock:
            return next(self._left, None)

    def _submit_all(self, seed: int) -> None:
        draw = random.Random(seed)
        began = self._until - self._seconds
        headers = {"Authorization": f"Bearer {self._cluster.stack.keys['key']}"}
        with httpx.Client(headers=headers, timeout=12) as client:
            while (number := self._next()) is not None:
                due = began + self._seconds * number / self._count
                time.sleep(max(0.0, due - time.monotonic()))
                self._submit(client, number, draw)

    def _submit(self, client: httpx.Client, number: int, draw: random.Random) -> None:
        body = day(repo=f"ada/r{number}", webhook={"url": self._url})
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            url = draw.choice(self._cluster.urls)
            try:
                answer = client.post(f"{url}/v1/til", json=body, headers={"Idempotency-Key": f"k{number}"})
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code == 202:
                self.accepted[str(answer.json()["id"])] = f"k{number}"
                if draw.random() < CANCELLED_SHARE:
                    self._cancel(client, url, answer.json()["id"])
                return
            with self._lock:
                self.retries += 1
            time.sleep(0.1)
        self.gave_up.append(f"k{number}")

    def _cancel(self, client: httpx.Client, url: str, job_id: str) -> None:
        try:
            client.post(f"{url}/v1/jobs/{job_id}/cancel")
        except httpx.TransportError:
            with self._lock:
                self.retries += 1
