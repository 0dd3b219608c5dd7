"""Serves `/metrics`, `/healthz` and `/readyz` on a separate port, which must not be public."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import make_wsgi_app

CLIENT_SECONDS = 10.0
Faults = Callable[[], list[str]]
"""Returns the names of the present faults; empty: healthy. Called in any thread; must not block."""


@dataclass
class Health:
    """`alive`: faults that only a restart repairs. `ready`: faults that stop its work now."""

    alive: Faults = list
    ready: Faults = lambda: ["starting"]


class Server(ThreadingMixIn, WSGIServer):
    """One thread per request, so that a slow client does not delay others."""

    daemon_threads = True


class Handler(WSGIRequestHandler):
    """Logs no requests; drops a client after CLIENT_SECONDS of silence."""

    timeout = CLIENT_SECONDS

    def log_message(self, *_: Any) -> None:
        """No log: Prometheus and probes send a request every few seconds."""


def serve(port: int, host: str, health: Health) -> int:
    """Start to serve in a daemon thread. Port 0: any free port. Returns the port. Raises OSError."""
    ((family, *_, address), *_) = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    kind = type("FamilyServer", (Server,), {"address_family": family})
    server = kind(address[:2], Handler)
    server.set_app(make_app(health))
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return int(server.server_address[1])


def make_app(health: Health) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """The WSGI application. Any path other than `/healthz` and `/readyz` returns the metrics."""
    metrics = make_wsgi_app()

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        faults = {"/healthz": health.alive, "/readyz": health.ready}.get(environ["PATH_INFO"])
        return metrics(environ, start) if faults is None else _health(faults(), start)

    return answer


def _health(faults: list[str], start: StartResponse) -> Iterable[bytes]:
    body: dict[str, Any] = {"status": "unavailable", "faults": faults} if faults else {"status": "ok"}
    headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
    if faults:
        headers.append(("Retry-After", "2"))
    start("503 Service Unavailable" if faults else "200 OK", headers)
    return [json.dumps(body).encode()]
