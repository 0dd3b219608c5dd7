"""The product's worker with an engine that the settings can't name."""

from __future__ import annotations

from prometheus_client import start_http_server

from base.logs import set_up_logs
from worker.__main__ import serve
from worker.engines import Engine
from worker.runtime import Runtime
from worker.settings import WorkerSettings


def serve_with(engine: Engine, settings: WorkerSettings) -> None:
    """Start the engine and serve jobs with it until SIGTERM."""
    set_up_logs("worker", settings.log_level)
    start_http_server(settings.metrics_port, settings.metrics_host)
    runtime = Runtime(settings, engine)
    runtime.start()
    serve(settings, runtime)
