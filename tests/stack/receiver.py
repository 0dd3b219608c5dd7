"""A webhook consumer on loopback that verifies what it gets."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


class Receiver:
    """Keeps every verified message; answers `status`. A bad signature is kept in `refused`."""

    def __init__(self, secret: str, status: int = 204) -> None:
        self.messages: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.refused: list[str] = []
        self.status = status
        self.answer = ""
        self.before_answer: Callable[[], None] = lambda: None
        receiver, verifier = self, Webhook(secret)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                try:
                    message = verifier.verify(body, {k.lower(): v for k, v in self.headers.items()})
                except Exception as error:  # noqa: BLE001 - the library's and JSON's, told to the test
                    receiver.refused.append(repr(error))
                else:
                    assert message == json.loads(body)
                    receiver.ids.append(self.headers["webhook-id"])
                    receiver.messages.append(message)
                receiver.before_answer()
                self.send_response(receiver.status)
                answer = receiver.answer.encode() if receiver.status != 204 else b""
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing to say."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
