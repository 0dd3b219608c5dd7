"""Celery's side of a worker: one door for every doorbell, and nothing in Redis that could end the process."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty
from typing import Any

import structlog
from celery import Celery, signals
from celery.app.amqp import AMQP
from kombu import Connection
from kombu.transport.redis import Channel, Transport
from redis.exceptions import RedisError

from signals.broker import TASK, WORKER_SOCKET, make_broker, queue_name
from worker.metrics import DOORBELLS_IGNORED

RECONNECT_SECONDS = {"interval_start": 0.2, "interval_step": 0.1, "interval_max": 0.4}
"""Celery's own pauses grow to 30 s, and jobs would wait for that long after Redis is back."""
MALFORMED = (ValueError, KeyError, TypeError, AttributeError)
log = structlog.get_logger()


class TolerantChannel(Channel):  # type: ignore[misc]
    """A message that is no Celery message at all would end the worker: kombu raises what JSON raises."""

    do_restore = False
    """What was not acknowledged when Redis went is not put back: it was a doorbell, and trying to, on a
    connection that is being closed, can end the worker (kombu 5.7 raises AttributeError)."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except MALFORMED as error:
            DOORBELLS_IGNORED.labels("malformed").inc()
            log.warning("doorbell_malformed", error=repr(error)[:200])
            raise Empty from error


class TolerantTransport(Transport):  # type: ignore[misc]
    """Redis, read by such channels. Where it answers with an error (a replica, no memory, no right, its data
    is being loaded), it is connected to anew, as where it is away: kombu would let the process end."""

    Channel = TolerantChannel
    connection_errors = (*Transport.connection_errors, RedisError)


class SwiftConnection(Connection):  # type: ignore[misc]
    """Tries again every 0.4 s when Redis is away."""

    def get_transport_cls(self) -> type[Transport]:
        """The only transport here."""
        return TolerantTransport

    def ensure_connection(self, errback: Any = None, max_retries: Any = None, **more: Any) -> Connection:
        """Wait until Redis answers."""
        return super().ensure_connection(errback, max_retries, **{**more, **RECONNECT_SECONDS})


class SwiftAMQP(AMQP):  # type: ignore[misc]
    """Celery's factory of connections."""

    Connection = SwiftConnection


def make_consumer(redis_url: str, alias: str, serve_doorbell: Callable[[], None]) -> Celery:
    """The Celery application of a worker for one model alias; its only task calls `serve_doorbell`."""
    app = make_broker(redis_url, WORKER_SOCKET, amqp=SwiftAMQP)
    app.conf.task_default_queue = queue_name(alias)

    @app.task(name=TASK)  # type: ignore[untyped-decorator]
    def run(_: str) -> None:
        serve_doorbell()

    return app


class Restart:
    """Lets the consumer of this process connect anew, as if its connection had broken. Safe in any thread.

    `ready`: it has begun to listen for doorbells.
    """

    def __init__(self) -> None:
        self._consumer: Any = None
        self.ready = False
        signals.worker_ready.connect(self._ready, weak=False)

    def _ready(self, sender: Any, **_: object) -> None:
        self._consumer, self.ready = sender, True

    def __call__(self) -> None:
        """Once the consumer's loop looks what is to be done: within a second, unless it hangs."""
        if self._consumer is not None:
            log.warning("consumer_restarting")
            self._consumer.call_soon(_break)


def _break() -> None:
    raise ConnectionResetError("No doorbell has come for a while.")


def consume(app: Celery, slots: int, drain: Callable[[], None]) -> None:
    """Serve doorbells in `slots` threads until SIGTERM, of which `drain` is told, each time that it comes."""

    @signals.setup_logging.connect(weak=False)  # type: ignore[untyped-decorator]
    def keep_our_logs(**_: object) -> None:
        """Celery leaves the logging alone when somebody answers this signal."""

    @signals.worker_shutting_down.connect(weak=False)  # type: ignore[untyped-decorator]
    def shutting_down(**_: object) -> None:
        drain()

    @signals.task_unknown.connect(weak=False)  # type: ignore[untyped-decorator]
    @signals.task_rejected.connect(weak=False)  # type: ignore[untyped-decorator]
    def bogus(**_: object) -> None:
        DOORBELLS_IGNORED.labels("unknown").inc()

    arguments = ["worker", "--pool=threads", f"--concurrency={slots}"]
    quiet = ["--without-mingle", "--without-gossip", "--task-events", "--loglevel=WARNING"]
    app.worker_main([*arguments, f"--queues={app.conf.task_default_queue}", *quiet])
