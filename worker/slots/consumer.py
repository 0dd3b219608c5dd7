"""The Celery consumer of a worker: one task, which calls the runtime. No error of Redis ends the process."""

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
"""Celery's default pauses grow to 30 s: jobs would wait for so long after Redis is back."""
MALFORMED = (ValueError, KeyError, TypeError, AttributeError)
log = structlog.get_logger()


class TolerantChannel(Channel):  # type: ignore[misc]
    """Ignores messages that are no Celery messages; kombu's own channel raises and ends the worker.

    Using it after it was closed is a connection error; in kombu, an AttributeError, which ends the worker.
    So a doorbell is acknowledged that came before a freeze, after which the consumer has reconnected.
    """

    do_restore = False
    """Unacknowledged messages are not put back when the connection breaks: they are only doorbells."""

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None:
            raise ConnectionResetError("The channel is closed.")
        return super()._connparams(asynchronous)

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except MALFORMED as error:
            DOORBELLS_IGNORED.labels("malformed").inc()
            log.warning("doorbell_malformed", error=repr(error)[:200])
            raise Empty from error


class TolerantTransport(Transport):  # type: ignore[misc]
    """Treats Redis's error replies (READONLY, OOM, NOPERM, LOADING) as a broken connection, and reconnects.

    kombu's own transport lets them end the process.
    """

    Channel = TolerantChannel
    connection_errors = (*Transport.connection_errors, RedisError)


class ReconnectingConnection(Connection):  # type: ignore[misc]
    """While Redis is away, tries to connect every 0.4 s."""

    def get_transport_cls(self) -> type[Transport]:
        """`TolerantTransport`, for every URL."""
        return TolerantTransport

    def ensure_connection(self, errback: Any = None, max_retries: Any = None, **more: Any) -> Connection:
        """Wait until Redis answers, with our own pauses."""
        return super().ensure_connection(errback, max_retries, **{**more, **RECONNECT_SECONDS})


class ReconnectingAMQP(AMQP):  # type: ignore[misc]
    """Where Celery takes its connections from."""

    Connection = ReconnectingConnection


def make_consumer(redis_url: str, alias: str, serve_doorbell: Callable[[], None]) -> Celery:
    """The Celery application of a worker for one model alias; its only task calls `serve_doorbell`."""
    app = make_broker(redis_url, WORKER_SOCKET, amqp=ReconnectingAMQP)
    app.conf.task_default_queue = queue_name(alias)

    @app.task(name=TASK)  # type: ignore[untyped-decorator]
    def run(_: str) -> None:
        serve_doorbell()

    return app


class ConsumerRestart:
    """Makes Celery's consumer reconnect, as if its connection had broken. Callable from any thread.

    `ready`: the consumer listens for doorbells.
    """

    def __init__(self) -> None:
        self._consumer: Any = None
        self.ready = False
        signals.worker_ready.connect(self._ready, weak=False)

    def _ready(self, sender: Any, **_: object) -> None:
        self._consumer, self.ready = sender, True

    def __call__(self) -> None:
        """Takes effect in the consumer's next loop, within a second unless it hangs."""
        if self._consumer is not None:
            log.warning("consumer_restarting")
            self._consumer.call_soon(_raise_connection_error)


def _raise_connection_error() -> None:
    raise ConnectionResetError("No doorbell has come for a while.")


def consume(app: Celery, slots: int, drain: Callable[[], None]) -> None:
    """Serve doorbells in `slots` threads until SIGTERM; each SIGTERM calls `drain`. Blocks."""

    @signals.setup_logging.connect(weak=False)  # type: ignore[untyped-decorator]
    def keep_our_logs(**_: object) -> None:
        """With a receiver of this signal Celery does not configure logging."""

    @signals.worker_shutting_down.connect(weak=False)  # type: ignore[untyped-decorator]
    def shutting_down(**_: object) -> None:
        drain()

    @signals.task_unknown.connect(weak=False)  # type: ignore[untyped-decorator]
    @signals.task_rejected.connect(weak=False)  # type: ignore[untyped-decorator]
    def ignored(**_: object) -> None:
        DOORBELLS_IGNORED.labels("unknown").inc()

    arguments = ["worker", "--pool=threads", f"--concurrency={slots}"]
    quiet = ["--without-mingle", "--without-gossip", "--task-events", "--loglevel=WARNING"]
    app.worker_main([*arguments, f"--queues={app.conf.task_default_queue}", *quiet])
