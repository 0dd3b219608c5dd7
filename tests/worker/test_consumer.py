"""The connection of the Celery consumer."""

from __future__ import annotations

import structlog

from signals.broker import TASK, queue_name
from worker.slots.consumer import make_consumer


def test_a_doorbell_acknowledged_after_the_connection_was_closed_raises_nothing(redis_url: str) -> None:
    """A worker that was frozen reconnects before its threads have begun with what had come."""
    app = make_consumer(redis_url, "default", lambda: None)
    connection = app.connection_for_read()
    app.send_task(TASK, args=["one"], queue=queue_name("default"), connection=connection)
    doorbell = connection.channel().basic_get(queue_name("default"))
    assert doorbell
    connection.close()
    doorbell.ack_log_error(structlog.get_logger(), connection.connection_errors)
    assert not doorbell.acknowledged
