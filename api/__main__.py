"""`python -m api`: serve the API until SIGTERM."""

from __future__ import annotations

import socket
import sys

import uvicorn
from prometheus_client import start_http_server
from starlette.datastructures import State

from api.app import create_app
from api.settings import ApiSettings
from jobs.logs import set_up_logs
from jobs.settings import WebhookSettings


class Server(uvicorn.Server):
    """Ends the event streams before it waits for the requests that are being served."""

    def __init__(self, config: uvicorn.Config, state: State) -> None:
        super().__init__(config)
        self._state = state

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called once, after SIGTERM."""
        self._state.followers.close()
        await super().shutdown(sockets)


def main() -> int:
    """Read the settings, then serve. Exit code 1 when the port can't be had."""
    settings = ApiSettings()
    set_up_logs("api", settings.log_level)
    start_http_server(settings.metrics_port, settings.metrics_host)
    app = create_app(settings, WebhookSettings())
    config = uvicorn.Config(
        app,
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=10,
        server_header=False,
    )
    server = Server(config, app.state)
    server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
