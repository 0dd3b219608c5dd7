"""`python -m worker`: a Celery worker whose tasks are doors to one engine."""

from __future__ import annotations

import signal
import sys
from types import FrameType

import structlog
from celery import signals
from prometheus_client import start_http_server

from jobs.broker import TASK, WORKER_SOCKET, make_broker, queue_name
from jobs.errors import JobError
from jobs.logs import set_up_logs
from worker.engines import EngineFailed
from worker.engines.choose import EngineUnavailable, choose
from worker.runtime import Runtime
from worker.settings import WorkerSettings

log = structlog.get_logger()


def main() -> int:
    """Serve until SIGTERM. Exit code 1 with one sentence when the worker can't start."""
    settings = WorkerSettings()
    set_up_logs("worker", settings.log_level)
    start_http_server(settings.metrics_port, settings.metrics_host)
    try:
        runtime = make_runtime(settings)
    except (EngineUnavailable, EngineFailed, JobError) as error:
        log.error("worker_not_started", error=str(error))
        return 1
    serve(settings, runtime)
    runtime.close()
    log.info("worker_stopped")
    return 0


def make_runtime(settings: WorkerSettings) -> Runtime:
    """Choose the engine, start it. Raises EngineUnavailable, EngineFailed, JobError."""
    key = settings.openai_key.get_secret_value() if settings.openai_key else None
    engine, why = choose(
        settings.engine,
        model=settings.model,
        slots=settings.slots,
        max_model_len=settings.max_model_len,
        gpu_memory_utilization=settings.gpu_memory_utilization,
        enforce_eager=settings.enforce_eager,
        openai_url=settings.openai_url,
        openai_key=key,
        openai_model=settings.openai_model,
        outline_seconds=settings.outline_seconds,
    )
    log.info("engine_chosen", engine=engine.info.engine, why=why)
    runtime = Runtime(settings, engine)
    runtime.start()
    return runtime


def serve(settings: WorkerSettings, runtime: Runtime) -> None:
    """Run Celery's consumer and its threads until it is asked to stop and every slot is free."""
    app = make_broker(settings.redis_url.get_secret_value(), WORKER_SOCKET)
    queue = queue_name(settings.alias)
    app.conf.task_default_queue = queue

    @app.task(name=TASK)  # type: ignore[untyped-decorator]
    def run(_: str) -> None:
        runtime.serve_doorbell()

    @signals.setup_logging.connect(weak=False)  # type: ignore[untyped-decorator]
    def keep_our_logs(**_: object) -> None:
        """Celery leaves the logging alone when somebody answers this signal."""

    @signals.worker_shutting_down.connect(weak=False)  # type: ignore[untyped-decorator]
    def drain(**_: object) -> None:
        runtime.drain()

    arguments = ["worker", "--pool=threads", f"--concurrency={settings.slots}", f"--queues={queue}"]
    app.worker_main(
        [*arguments, "--without-mingle", "--without-gossip", "--task-events", "--loglevel=WARNING"]
    )


def interrupted(_: int, __: FrameType | None) -> None:
    """Before Celery has taken over the signals, SIGTERM ends the process as an exit does."""
    sys.exit(143)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupted)
    sys.exit(main())
