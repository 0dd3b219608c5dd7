"""`python -m worker`: a Celery worker whose threads all use one engine."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Any

import structlog

from base.errors import JobError
from base.health import Health
from base.health import serve as serve_health
from base.logs import set_up_logs
from base.settings import read as read_settings
from worker.engines import EngineFailed
from worker.engines.choose import EngineUnavailable, choose
from worker.engines.profile import BadProfile, read
from worker.health import WorkerHealth
from worker.runtime import Runtime
from worker.settings import WorkerSettings
from worker.slots.consumer import consume, make_consumer
from worker.starting import recorded_start

log = structlog.get_logger()


def main() -> int:
    """Serve until SIGTERM. Exit code 1, and the reason in the log, when the worker can't start."""
    settings = read_settings(WorkerSettings)
    set_up_logs("worker", settings.log_level)
    health = WorkerHealth()
    serve_health(settings.metrics_port, settings.metrics_host, Health(health.alive, health.ready))
    try:
        with recorded_start(settings.database_url.get_secret_value(), settings.alias):
            settings, arguments = with_profile(settings)
            runtime = make_runtime(settings, arguments)
    except (BadProfile, EngineUnavailable, EngineFailed, JobError) as error:
        log.error("worker_not_started", error=str(error))
        return 1
    health.started(runtime)
    serve(settings, runtime)
    return 0


def serve(settings: WorkerSettings, runtime: Runtime) -> None:
    """Serve doorbells until SIGTERM and until every slot is free."""
    redis_url = settings.redis_url.get_secret_value()
    consume(make_consumer(redis_url, settings.alias, runtime.serve_doorbell), settings.slots, runtime.drain)
    runtime.close()
    log.info("worker_stopped")


def with_profile(settings: WorkerSettings) -> tuple[WorkerSettings, dict[str, Any]]:
    """The settings, with as many slots as the engine has `max_num_seqs`, and vLLM's arguments. BadProfile."""
    profile = read(settings.profile) if settings.profile else {}
    arguments = settings.engine_arguments(profile)
    return settings.model_copy(update={"slots": arguments["max_num_seqs"]}), arguments


def make_runtime(settings: WorkerSettings, arguments: dict[str, Any]) -> Runtime:
    """Choose the engine, start it. Raises EngineUnavailable, EngineFailed, JobError."""
    key = settings.openai_key.get_secret_value() if settings.openai_key else None
    engine, why = choose(
        settings.engine,
        vllm=arguments,
        cache_folder=settings.cache_folder.expanduser(),
        openai_url=settings.openai_url,
        openai_key=key,
        openai_model=settings.openai_model,
        openai_proof=settings.openai_proof,
        outline_seconds=settings.outline_seconds,
    )
    log.info("engine_chosen", engine=engine.info.engine, why=why)
    runtime = Runtime(settings, engine)
    runtime.start()
    return runtime


def interrupted(_: int, __: FrameType | None) -> None:
    """SIGTERM during the start, before Celery handles signals: exit, running `finally` blocks."""
    sys.exit(143)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupted)
    sys.exit(main())
