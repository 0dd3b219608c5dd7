"""`python -m api`: serve the API until SIGTERM."""

from __future__ import annotations

import asyncio
import socket
import sys

import structlog
import uvicorn
from fastapi import FastAPI
from prometheus_client import start_http_server
from starlette.datastructures import State

from api.app import create_app
from api.connections import BACKLOG, Connections, QuietErrors
from api.settings import ApiSettings
from base.database import API, Database
from base.errors import JobError
from base.files import allow_many_files
from base.logs import set_up_logs
from base.loops import DIED
from base.settings import read
from signals.servers import check_servers
from tenants.secrets import check_secrets
from webhooks.settings import WebhookSettings

GRACE_SECONDS = 1
"""At SIGTERM, for requests that are being served; long polls and event streams are ended at once."""
log = structlog.get_logger()


class Server(uvicorn.Server):
    """On shutdown ends long polls and event streams first, then waits for the other requests."""

    def __init__(self, config: uvicorn.Config, state: State) -> None:
        super().__init__(config)
        self._state = state

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Called once, before the first request."""
        asyncio.get_running_loop().set_exception_handler(QuietErrors())
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called once, after SIGTERM."""
        self._state.followers.close()
        self._state.waiters.close()
        await super().shutdown(sockets)


def main() -> int:
    """Read the settings, then serve. Exit code 1 when the port can't be had or a server is unfit, DIED when
    a background loop has died."""
    settings = read(ApiSettings)
    set_up_logs("api", settings.log_level)
    start_http_server(settings.metrics_port, settings.metrics_host)
    try:
        asyncio.run(_check_servers(settings))
    except JobError as error:
        log.error("api_not_started", error=str(error))
        return 1

    def stop(_: str) -> None:
        server.should_exit = True

    connections = Connections(allow_many_files())
    app = create_app(settings, read(WebhookSettings), stop, connections)
    server = Server(_config(app, settings, connections), app.state)
    server.run()
    died = DIED if app.state.loops.dead else 0
    return died if server.started else 1


def _config(app: FastAPI, settings: ApiSettings, connections: Connections) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.api_host,
        port=settings.api_port,
        http=connections.protocol(),
        loop="uvloop",
        ws="none",
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
    )


async def _check_servers(settings: ApiSettings) -> None:
    database = Database(settings.database_url.get_secret_value(), API)
    try:
        redis_url = settings.redis_url.get_secret_value()
        await check_servers(database, redis_url, lambda: check_secrets(database, settings.box()))
    finally:
        await database.close()


if __name__ == "__main__":
    sys.exit(main())
