"""Metrics and health of a process on a port of its own: `/metrics`, `/healthz`, `/readyz`. Never public."""

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
"""What is wrong at the moment, a word each; nothing: an empty list. Called in any thread; must not block."""


@dataclass
class Health:
    """`alive`: what only a new process would mend. `ready`: what keeps this one from its work."""

    alive: Faults = list
    ready: Faults = lambda: ["starting"]


class Server(ThreadingMixIn, WSGIServer):
    """A thread for each request, so that a client that is slow holds up no other."""

    daemon_threads = True


class Handler(WSGIRequestHandler):
    """Logs nothing, and waits for no client for long."""

    timeout = CLIENT_SECONDS

    def log_message(self, *_: Any) -> None:
        """Prometheus and probes ask every few seconds."""


def serve(port: int, host: str, health: Health) -> int:
    """Serve from now on, in a daemon thread; port 0: any that is free. The port. Raises OSError."""
    ((family, *_, address), *_) = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    kind = type("FamilyServer", (Server,), {"address_family": family})
    server = kind(address[:2], Handler)
    server.set_app(make_app(health))
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return int(server.server_address[1])


def make_app(health: Health) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """The WSGI application: any path but the two of health gets the metrics."""
    metrics = make_wsgi_app()

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        faults = {"/healthz": health.alive, "/readyz": health.ready}.get(environ["PATH_INFO"])
        return metrics(environ, start) if faults is None else _say(faults(), start)

    return answer


def _say(faults: list[str], start: StartResponse) -> Iterable[bytes]:
    body: dict[str, Any] = {"status": "unavailable", "faults": faults} if faults else {"status": "ok"}
    headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
    if faults:
        headers.append(("Retry-After", "2"))
    start("503 Service Unavailable" if faults else "200 OK", headers)
    return [json.dumps(body).encode()]
