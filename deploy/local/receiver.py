"""A webhook receiver on loopback, for the first job of `make run`. It verifies each signature."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

LARGEST_BODY = 8 * 1024 * 1024
MOST_KEPT = 100


class Receiver:
    """Keeps the last verified messages by id, and counts those with a wrong signature."""

    def __init__(self, secret: str) -> None:
        self.messages: dict[str, dict[str, Any]] = {}
        self.refused = 0
        self._verifier = Webhook(secret)
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhook"
        threading.Thread(target=self._server.serve_forever, name="receiver", daemon=True).start()

    def wait_for(self, event: str, seconds: float) -> str | None:
        """The id of the first verified message of this event; None after `seconds`."""

        def found() -> str | None:
            return next((key for key, message in self.messages.items() if message["type"] == event), None)

        with self._changed:
            return self._changed.wait_for(found, seconds)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def receive(self, body: str, headers: dict[str, str]) -> int:
        """Verify and keep one message; the HTTP status to answer."""
        try:
            message = self._verifier.verify(body, headers)
        except WebhookVerificationError:
            self.refused += 1
            return 401
        with self._changed:
            if len(self.messages) >= MOST_KEPT:
                self.messages.pop(next(iter(self.messages)))
            self.messages[headers["webhook-id"]] = message
            self._changed.notify_all()
        return 204

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = 413
                if length <= LARGEST_BODY:
                    status = receiver.receive(self.rfile.read(length).decode(errors="replace"), headers)
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Log nothing."""

        return Handler
