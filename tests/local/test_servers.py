"""The embedded servers start for root and for others, survive a kill, and leave nothing behind."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
import stat
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from deploy.local.child import ChildFailed
from deploy.local.postgres import PostgresServer
from deploy.local.system_user import let_traverse
from deploy.local.valkey import ValkeyServer
from tests.stack.database import plain_url

ROOT = Path(__file__).parent.parent.parent
AS_OTHER = """
import sys, pathlib
from deploy.local.postgres import PostgresServer
from deploy.local.valkey import ValkeyServer
folder = pathlib.Path(sys.argv[1])
log = folder / "log"
for server in (PostgresServer(folder / "pg", {}, log), ValkeyServer(folder / "vk", log)):
    server.start()
    server.stop()
print("both started")
"""


async def answer(url: str, query: str = "SELECT 1") -> object:
    connection = await asyncpg.connect(plain_url(url))
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def test_what_was_committed_survives_a_kill_of_the_server(server_folder: Path) -> None:
    server = PostgresServer(server_folder / "data", {}, server_folder / "log")
    server.start()
    asyncio.run(answer(server.url, "CREATE TABLE kept AS SELECT 7 AS n"))
    server.child.send(signal.SIGKILL)
    server.child.wait(10)
    again = PostgresServer(server_folder / "data", {}, server_folder / "log")
    again.start()
    try:
        assert asyncio.run(answer(again.url, "SELECT n FROM kept")) == 7
    finally:
        again.stop()


def test_the_data_folder_may_have_a_very_long_path(server_folder: Path) -> None:
    folder = server_folder / ("long" * 25) / "with spaces"
    folder.mkdir(parents=True)
    server = PostgresServer(folder / "data", {}, folder / "log")
    server.start()
    try:
        assert asyncio.run(answer(server.url)) == 1
    finally:
        server.stop()


def test_tcp_needs_the_password_and_the_folders_are_private(server_folder: Path) -> None:
    with ValkeyProbe(server_folder) as valkey:
        server = PostgresServer(server_folder / "data", {}, server_folder / "log", port=valkey.port + 1)
        server.start()
        try:
            assert asyncio.run(answer(server.tcp_url)) == 1
            with pytest.raises(asyncpg.InvalidPasswordError):
                asyncio.run(answer(server.tcp_url.replace(server.password, "wrong")))
        finally:
            server.stop()
        for private in (server_folder / "data", server_folder / "valkey"):
            assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert stat.S_IMODE((server_folder / "valkey" / "valkey.conf").stat().st_mode) == 0o600
        with pytest.raises(AuthenticationError), Redis(port=valkey.port) as stranger:
            stranger.ping()


class ValkeyProbe:
    """A Valkey for the length of a block."""

    def __init__(self, folder: Path) -> None:
        self._server = ValkeyServer(folder / "valkey", folder / "valkey.log")

    def __enter__(self) -> ValkeyServer:
        self._server.start()
        return self._server

    def __exit__(self, *_: object) -> None:
        self._server.stop()


def test_a_setting_that_postgresql_refuses_is_one_sentence(server_folder: Path) -> None:
    server = PostgresServer(server_folder / "data", {"shared_buffers": "nonsense"}, server_folder / "log")
    with pytest.raises(ChildFailed, match="postgres did not start"):
        server.start()


def test_another_user_can_start_them_after_root_has(server_folder: Path) -> None:
    """As root: a run of root's first, then one of an ordinary user. Otherwise this user is the other one."""
    identity: dict[str, int] = {}
    opened: list[Path] = []
    folder = server_folder / "other"
    folder.mkdir()
    if os.geteuid() == 0:
        first = PostgresServer(server_folder / "roots", {}, server_folder / "roots.log")
        first.start()
        first.stop()
        nobody = pwd.getpwnam("nobody")
        identity = {"user": nobody.pw_uid, "group": nobody.pw_gid}
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        for needed in (folder, Path(sys.executable), Path(sys.executable).resolve(), ROOT / "x"):
            opened += let_traverse(needed)
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", AS_OTHER, str(folder)],
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        **identity,  # type: ignore[call-overload]
    )
    for passage in opened:
        passage.chmod(stat.S_IMODE(passage.stat().st_mode) & ~stat.S_IXOTH)
    assert done.stdout == "both started\n", done.stderr
