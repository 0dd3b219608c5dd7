"""A doorbell is a Celery message that says "there is work", not which. It may be lost, doubled or late."""

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
DOORBELLS = Counter("til_doorbells_total", "Doorbells sent, or why they were not.", ["outcome"])
RECONNECT_AT_ONCE = {"max_retries": 1, "interval_start": 0, "interval_step": 0}
"""By default kombu waits 2 s before it connects again."""
CONNECTION_ERRORS = (OperationalError, RedisError, OSError)
log = structlog.get_logger()


class Ringer:
    """Publishes doorbells, in one thread per process that sends what has gathered as one batch.

    A Celery queue gets doorbells only while it is shorter than the window: two messages for each live slot,
    at least 64. `ring` never blocks and never raises; while Redis is away doorbells are dropped. The
    connection is kept open; if it breaks while a batch is sent, that batch is tried once on a new one.
    """

    def __init__(self, redis_url: str) -> None:
        self._app = make_broker(redis_url, RINGER_SOCKET)
        self._pending: queue.Queue[tuple[str, str] | None] = queue.Queue(maxsize=10_000)
        self._window = SMALLEST_WINDOW
        self._connection: Any = None
        self._channel: Any = None
        self._thread = threading.Thread(target=self._publish_loop, name="ringer", daemon=True)
        self._thread.start()

    def set_slots(self, slots: int) -> None:
        """The number of slots of all live workers, as the steward counts them."""
        self._window = max(SMALLEST_WINDOW, 2 * slots)

    def ring(self, model: str, job_ids: Sequence[str]) -> None:
        """One doorbell for each id. Only people who read Flower see the id; the worker ignores it."""
        for job_id in job_ids:
            try:
                self._pending.put_nowait((model, job_id))
            except queue.Full:
                DOORBELLS.labels("dropped").inc()

    def close(self, timeout_seconds: float = 3) -> None:
        """Send what has gathered, for `timeout_seconds` at the most."""
        with contextlib.suppress(queue.Full):
            self._pending.put_nowait(None)
        self._thread.join(timeout_seconds)

    def _publish_loop(self) -> None:
        while True:
            gathered = [self._pending.get()]
            while len(gathered) < 1000:
                try:
                    gathered.append(self._pending.get_nowait())
                except queue.Empty:
                    break
            doorbells = [one for one in gathered if one is not None]
            try:
                self._publish(doorbells)
            except Exception as error:  # noqa: BLE001 - a failed batch must not end the thread
                self._disconnect()
                DOORBELLS.labels("failed").inc(len(doorbells))
                log.warning("ring_failed", error=type(error).__name__, doorbells=len(doorbells))
            if len(doorbells) < len(gathered):
                self._disconnect()
                return

    def _publish(self, doorbells: list[tuple[str, str]]) -> None:
        by_queue: dict[str, list[str]] = defaultdict(list)
        for model, job_id in doorbells:
            by_queue[queue_name(model)].append(job_id)
        for name, ids in by_queue.items():
            try:
                self._fill(name, ids)
            except CONNECTION_ERRORS:
                self._disconnect()
                self._fill(name, ids)

    def _fill(self, name: str, ids: list[str]) -> None:
        """Send as many as the window allows, on the open connection or a new one."""
        if self._channel is None:
            self._connection = self._app.connection_for_write()
            self._connection.ensure_connection(**RECONNECT_AT_ONCE)
            self._channel = self._connection.channel()
        free = max(0, self._window - int(self._channel.client.llen(name)))
        self._send(self._channel, name, ids[:free])
        DOORBELLS.labels("rung").inc(len(ids[:free]))
        DOORBELLS.labels("window_full").inc(len(ids[free:]))

    def _disconnect(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.release()

    def _send(self, channel: object, name: str, ids: list[str]) -> None:
        with self._app.amqp.Producer(channel, auto_declare=False) as producer, producer.batch():
            for job_id in ids:
                self._app.send_task(TASK, args=[job_id], queue=name, producer=producer, retry=False)
