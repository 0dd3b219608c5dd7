"""HTTP as bytes, for clients that send slowly, in part, or too much."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from tests.stack.processes import Stack


def head(method: str, path: str, key: str | None = None, **headers: str) -> bytes:
    """The head of a request; `Content_Length="5"` becomes `Content-Length: 5`."""
    lines = [f"{method} {path} HTTP/1.1", "Host: til"]
    lines += [f"Authorization: Bearer {key}"] if key else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


@contextlib.contextmanager
def connection(stack: Stack, data: bytes = b"") -> Iterator[socket.socket]:
    """A connection to the stack's api over which `data` has been sent."""
    port = int(stack.api_url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as made:
        made.sendall(data)
        yield made


def read_head(made: socket.socket) -> str:
    """What arrives up to the end of an answer's head and whatever came with it; empty: it was closed."""
    read = b""
    while b"\r\n\r\n" not in read and (more := made.recv(65_536)):
        read += more
    return read.decode()


def read_to_the_end(made: socket.socket) -> bytes:
    """Everything until the api closes the connection."""
    read = b""
    with contextlib.suppress(ConnectionResetError):
        while more := made.recv(65_536):
            read += more
    return read
