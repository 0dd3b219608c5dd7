"""`python -m api`: serve the API until SIGTERM."""

from __future__ import annotations

import sys

import uvicorn
from prometheus_client import start_http_server

from api.app import create_app
from api.settings import ApiSettings
from jobs.logs import set_up_logs
from jobs.settings import WebhookSettings


def main() -> int:
    """Read the settings, then serve. Exit code 1 when the port can't be had."""
    settings = ApiSettings()
    set_up_logs("api", settings.log_level)
    start_http_server(settings.metrics_port, settings.metrics_host)
    config = uvicorn.Config(
        create_app(settings, WebhookSettings()),
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=10,
        server_header=False,
    )
    server = uvicorn.Server(config)
    server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
