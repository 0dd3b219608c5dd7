"""ring: a Celery message says "there is work". It may be lost, doubled or late: nothing depends on it."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import structlog
from kombu.exceptions import OperationalError
from prometheus_client import Counter
from redis.exceptions import RedisError

from signals.broker import RINGER_SOCKET, TASK, make_broker, queue_name

SMALLEST_WINDOW = 64
RINGS = Counter("til_doorbells_total", "Doorbells by what became of them.", ["outcome"])
NO_PAUSE = {"max_retries": 1, "interval_start": 0, "interval_step": 0}
"""Kombu's own pause before it connects again is 2 s, in which Redis may be back."""
LOST = (OperationalError, RedisError, OSError)
log = structlog.get_logger()


class Ringer:
    """One publishing thread per process, which sends what has gathered as one batch.

    A queue is rung only while it is shorter than the window: two messages a live slot, at least 64.
    `ring` never blocks and never raises; when Redis is away the doorbells are dropped. The connection is
    kept, since making one costs more than the message, and made anew once when it turns out to be lost.
    """

    def __init__(self, redis_url: str) -> None:
        self._app = make_broker(redis_url, RINGER_SOCKET)
        self._pending: queue.Queue[tuple[str, str] | None] = queue.Queue(maxsize=10_000)
        self._window = SMALLEST_WINDOW
        self._connection: Any = None
        self._channel: Any = None
        self._thread = threading.Thread(target=self._publish_for_ever, name="ringer", daemon=True)
        self._thread.start()

    def set_slots(self, slots: int) -> None:
        """The number of live slots, from the figures."""
        self._window = max(SMALLEST_WINDOW, 2 * slots)

    def ring(self, model: str, job_ids: Sequence[str]) -> None:
        """Ring once for each id; an id is there for people who read Flower, not for the worker."""
        for job_id in job_ids:
            try:
                self._pending.put_nowait((model, job_id))
            except queue.Full:
                RINGS.labels("dropped").inc()

    def close(self, timeout_seconds: float = 3) -> None:
        """Send what has gathered, for `timeout_seconds` at the most."""
        with contextlib.suppress(queue.Full):
            self._pending.put_nowait(None)
        self._thread.join(timeout_seconds)

    def _publish_for_ever(self) -> None:
        while True:
            gathered = [self._pending.get()]
            while len(gathered) < 1000:
                try:
                    gathered.append(self._pending.get_nowait())
                except queue.Empty:
                    break
            bells = [bell for bell in gathered if bell is not None]
            try:
                self._publish(bells)
            except Exception as error:  # noqa: BLE001 - doorbells may be lost, their thread may not
                self._hang_up()
                RINGS.labels("failed").inc(len(bells))
                log.warning("ring_failed", error=type(error).__name__, doorbells=len(bells))
            if len(bells) < len(gathered):
                self._hang_up()
                return

    def _publish(self, bells: list[tuple[str, str]]) -> None:
        by_queue: dict[str, list[str]] = defaultdict(list)
        for model, job_id in bells:
            by_queue[queue_name(model)].append(job_id)
        for name, ids in by_queue.items():
            try:
                self._ring(name, ids)
            except LOST:
                self._hang_up()
                self._ring(name, ids)

    def _ring(self, name: str, ids: list[str]) -> None:
        """On the connection that is kept, or a new one."""
        if self._channel is None:
            self._connection = self._app.connection_for_write()
            self._connection.ensure_connection(**NO_PAUSE)
            self._channel = self._connection.channel()
        room = max(0, self._window - int(self._channel.client.llen(name)))
        self._send(self._channel, name, ids[:room])
        RINGS.labels("rung").inc(len(ids[:room]))
        RINGS.labels("window_full").inc(len(ids[room:]))

    def _hang_up(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.release()

    def _send(self, channel: object, name: str, ids: list[str]) -> None:
        with self._app.amqp.Producer(channel, auto_declare=False) as producer, producer.batch():
            for job_id in ids:
                self._app.send_task(TASK, args=[job_id], queue=name, producer=producer, retry=False)
