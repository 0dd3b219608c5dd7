"""The Celery application: Redis carries doorbells ("there is work"). Flower and the worker use it too."""

from __future__ import annotations

from typing import Any

from celery import Celery

from base.secret_files import secret

TASK = "til.run"

WORKER_SOCKET = {
    "socket_timeout": 3,
    "socket_connect_timeout": 2,
    "health_check_interval": 3,
    "retry_on_timeout": True,
    "socket_keepalive": True,
}
RINGER_SOCKET = {"socket_timeout": 2, "socket_connect_timeout": 1, "socket_keepalive": True}
"""For publishing; without `retry_on_timeout`, with which kombu does not publish in batches."""


def queue_name(model: str) -> str:
    """The Celery queue, a Redis list, of one model alias."""
    return f"til.{model}"


def make_broker(url: str, socket: dict[str, Any], **classes: type) -> Celery:
    """A Celery application that uses no results, retries, beat or ETA: PostgreSQL does all of that."""
    app = Celery("til", broker=url, set_as_current=False, **classes)
    app.conf.update(
        task_ignore_result=True,
        task_acks_late=False,
        task_create_missing_queues=True,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=True,
        worker_send_task_events=True,
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={**socket, "priority_steps": [0], "global_keyprefix": ""},
    )
    return app


app = make_broker(secret("REDIS_URL") or "redis://127.0.0.1:6379/0", WORKER_SOCKET)
