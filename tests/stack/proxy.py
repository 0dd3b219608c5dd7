"""A TCP proxy that lets a test freeze a network path, or cut it at a chosen moment."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from sqlalchemy.engine import make_url

CHUNK = 65_536


def to_postgres(url: str) -> Callable[[], socket.socket]:
    """Connects to the server behind a URL with a Unix socket."""
    path = f"{make_url(url).query['host']}/.s.PGSQL.5432"

    def connect() -> socket.socket:
        upstream = socket.socket(socket.AF_UNIX)
        try:
            upstream.connect(path)
        except OSError:
            upstream.close()
            raise
        return upstream

    return connect


class Proxy:
    """Listens on loopback and forwards to what `connect` opens.

    `freeze` keeps every present connection open and forwards nothing more on it, as after a cable was cut;
    new ones work. `shut` closes all of them and refuses new ones until `open`. `cut_at(marker)` closes the
    next connection whose client sends `marker`, having sent `after` before: after forwarding it and seeing
    it answered with `forward`, else before.
    """

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._frozen: set[int] = set()
        self._muted: set[int] = set()
        self._open: dict[int, tuple[socket.socket, socket.socket]] = {}
        self._marker: tuple[bytes, bool, bytes] | None = None
        self._said: set[int] = set()
        self._refusing = False
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def to(self, url: str) -> str:
        """The database of this URL, by way of the proxy."""
        return f"postgresql://til@127.0.0.1:{self.port}/{make_url(url).database}"

    def freeze(self) -> int:
        """Silence all present connections; how many there were."""
        with self._lock:
            self._frozen |= self._open.keys()
            return len(self._open)

    def cut_at(self, marker: bytes, forward: bool, after: bytes = b"") -> None:
        """Cut once, at the next client message that contains `marker`."""
        self._said.clear()
        self._marker = (marker, forward, after)

    def shut(self) -> None:
        """Close every connection, and each new one."""
        self._refusing = True
        with self._lock:
            pairs = list(self._open.values())
        for pair in pairs:
            self._shut(*pair)

    def open(self) -> None:
        """Let new connections through again."""
        self._refusing = False

    def close(self) -> None:
        """Close everything."""
        self._shut(self._listener)  # Without shutdown, the thread in accept would keep it listening.
        self.shut()

    def _accept(self) -> None:
        number = 0
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                number += 1
                if self._refusing:
                    client.close()
                    continue
                try:
                    server = self._connect()
                except OSError:
                    client.close()
                    continue
                with self._lock:
                    self._open[number] = (client, server)
                if self._refusing:  # `shut` may have come too early to see this one.
                    self._shut(client, server)
                for from_client in (True, False):
                    pumped = (number, client, server, from_client)
                    threading.Thread(target=self._pump, args=pumped, daemon=True).start()

    def _pump(self, number: int, client: socket.socket, server: socket.socket, from_client: bool) -> None:
        source, target = (client, server) if from_client else (server, client)
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                if number in self._frozen:
                    continue
                if number in self._muted or (from_client and self._cut(number, target, data)):
                    break
                target.sendall(data)
        if number not in self._frozen:
            self._shut(client, server)
            with self._lock:
                self._open.pop(number, None)

    def _cut(self, number: int, server: socket.socket, data: bytes) -> bool:
        """Whether to close now. When the data is forwarded, its answer closes the connection instead."""
        if self._marker is None:
            return False
        marker, forward, after = self._marker
        if after in data:
            self._said.add(number)
        if marker not in data or number not in self._said:
            return False
        self._marker = None
        self.cuts += 1
        if forward:
            self._muted.add(number)
            server.sendall(data)
            server.recv_into(bytearray(1), 1, socket.MSG_PEEK)
        return True

    @staticmethod
    def _shut(*sockets: socket.socket) -> None:
        for end in sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
