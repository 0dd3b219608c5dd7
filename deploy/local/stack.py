"""The processes of a local stack: their order of start, and how each is known to be healthy."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from admin.bootstrap import bootstrap
from base.database import ADMIN, Database
from base.secret_files import secret
from deploy.local.checks import CanNotRun, answers, port_of
from deploy.local.child import Child
from deploy.local.guard import Guard
from deploy.local.postgres import PostgresServer
from deploy.local.stack_file import read_stack, sealing_key, write_stack
from deploy.local.valkey import ValkeyServer, free_port
from tenants.keys import find_caller, key_hash
from tenants.sealing import SecretBox
from tenants.secrets import rotate_webhook_secret

START_SECONDS = 60
SHORTEST_LIFE_SECONDS = 5
"""A process that ends sooner than this after its start is not started again."""
READ_HERE = {"DATABASE_URL_FILE", "REDIS_URL_FILE", "TIL_SECRET_KEYS_FILE"}
ENGINE_SECONDS = 900
"""Loading a real model takes minutes."""


class LocalStack:
    """Everything that `make run` starts. `folder` (`.local`) has its data, logs and addresses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._guard = Guard(folder)
        self.api_port = port_of("API_PORT", 8000)
        self.flower_port = port_of("FLOWER_PORT", 5555)
        self.metrics = {name: free_port() for name in ("api", "worker", "steward")}
        self.flower_password = secrets.token_urlsafe(12)
        self.secrets: dict[str, str] = {}
        self.opened: list[str] = []
        self.children: list[Child] = []
        self._servers: list[PostgresServer | ValkeyServer] = []

    @property
    def api_url(self) -> str:
        """The API's address."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def flower_url(self) -> str:
        """Flower's address."""
        return f"http://127.0.0.1:{self.flower_port}"

    def start(self) -> None:
        """Start everything and return when all of it is healthy. Raises CanNotRun, ChildFailed."""
        self._guard.start()
        self.secret_keys = secret("TIL_SECRET_KEYS") or sealing_key(self.folder)
        self._start_servers()
        self._migrate()
        self.secrets = asyncio.run(self._keys())
        self._start_processes()
        self.write()

    def _start_servers(self) -> None:
        self.database_url = secret("DATABASE_URL") or ""
        self.redis_url = secret("REDIS_URL") or ""
        log = self.folder / "log"
        if not self.redis_url:
            valkey = ValkeyServer(self.folder / "valkey", log / "valkey.log")
            self._start_server(valkey)
            self.redis_url = valkey.url
        if not self.database_url:
            postgres = PostgresServer(self.folder / "postgres", {}, log / "postgres.log")
            self._start_server(postgres)
            self.opened = [str(folder) for folder in postgres.opened]
            self.database_url = postgres.url

    def _start_server(self, server: PostgresServer | ValkeyServer) -> None:
        self._servers.append(server)
        server.child.spawned = self._guard.remember
        server.start()

    def _migrate(self) -> None:
        command = [sys.executable, "-m", "admin", "migrate"]
        done = subprocess.run(  # noqa: S603 - our own program
            command, check=False, capture_output=True, text=True, env=self.environment()
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise CanNotRun(f"The database can't be migrated: {reason}")

    async def _keys(self) -> dict[str, str]:
        """The keys of the last run if they are in the database, else new ones."""
        known = read_stack(self.folder)
        database = Database(self.database_url, ADMIN)
        try:
            async with database.session() as session:
                key = str(known.get("api_key"))
                if known.get("webhook_secret") and await find_caller(session, key_hash(key)):
                    return {name: known[name] for name in ("api_key", "admin_key", "webhook_secret")}
                box = SecretBox(self.secret_keys.split(","))
                made = await bootstrap(session, "dev", box)
                tenant_id = uuid.UUID(made["tenant_id"])
                secret = made.get("webhook_secret") or await rotate_webhook_secret(session, tenant_id, 0, box)
        finally:
            await database.close()
        return {"api_key": made["key"], "admin_key": made["admin_key"], "webhook_secret": secret}

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of our processes. Webhooks to loopback are allowed, for development."""
        return (
            {name: value for name, value in os.environ.items() if name not in READ_HERE}
            | {
                "DATABASE_URL": self.database_url,
                "REDIS_URL": self.redis_url,
                "TIL_SECRET_KEYS": self.secret_keys,
                "TIL_WEBHOOK_ALLOW_HTTP": "1",
                "TIL_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
                "PYTHONUNBUFFERED": "1",
            }
            | more
        )

    def _start_processes(self) -> None:
        python = [sys.executable, "-m"]
        self._spawn("api", [*python, "api"], TIL_API_PORT=str(self.api_port))
        self._spawn("worker", [*python, "worker"])
        self._spawn("steward", [*python, "steward"])
        flower = ["celery", "-A", "signals.broker", "flower", "--address=127.0.0.1"]
        self._spawn(
            "flower",
            [*python, *flower, f"--port={self.flower_port}"],
            FLOWER_BASIC_AUTH=f"dev:{self.flower_password}",
            FLOWER_READ_ONLY="true",
        )
        ready: dict[str, Callable[[], bool]] = {
            "api": lambda: answers(f"{self.api_url}/readyz"),
            "steward": lambda: answers(self._metrics_url("steward"), "til_jobs{"),
            "flower": lambda: answers(f"{self.flower_url}/healthcheck"),
            "worker": lambda: answers(self._metrics_url("worker"), "til_engine_ready 1.0"),
        }
        for name, fact in ready.items():
            seconds = ENGINE_SECONDS if name == "worker" else START_SECONDS
            self.child(name).wait_ready(fact, seconds)

    def _spawn(self, name: str, command: list[str], **more: str) -> None:
        child = Child(name, command, self.folder / "log" / f"{name}.log")
        child.log.write_bytes(b"")
        child.spawned = self._guard.remember
        port = {"TIL_METRICS_PORT": str(self.metrics[name])} if name in self.metrics else {}
        self.children.append(child)
        child.spawn(self.environment(**port, **more))

    def child(self, name: str) -> Child:
        """The process of this name."""
        return next(child for child in self.children if child.name == name)

    def _metrics_url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.metrics[name]}/metrics"

    def engine(self) -> str:
        """Which engine the worker chose and why, from its log."""
        for line in self.child("worker").log.read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if entry.get("event") == "engine_chosen":
                    return f"{entry['engine']}: {entry['why']}"
        return "unknown"

    def write(self) -> None:
        """Write the addresses and keys to the file that the `til` command reads."""
        values = {
            "api_url": self.api_url,
            **self.secrets,
            "flower_url": self.flower_url,
            "flower_user": "dev",
            "flower_password": self.flower_password,
            "database_url": self.database_url,
            "redis_url": self.redis_url,
            "metrics": {name: self._metrics_url(name) for name in self.metrics},
            "pid": os.getpid(),
        }
        write_stack(self.folder, values)

    def restart_ended(self) -> list[Child]:
        """Start again the processes that have ended by themselves, and return them.

        Raises CanNotRun for a server, and for a process that ended within `SHORTEST_LIFE_SECONDS`.
        """
        for server in self._servers:
            if not server.child.running():
                raise CanNotRun(server.child.why_ended())
        dead = [child for child in self.children if not child.running()]
        for child in dead:
            if time.monotonic() - child.spawned_at < SHORTEST_LIFE_SECONDS:
                raise CanNotRun(child.why_ended())
            child.respawn()
        return dead

    def stop(self) -> None:
        """Stop everything gracefully, the servers last."""
        for child in reversed(self.children):
            child.send(signal.SIGTERM)
        for child in reversed(self.children):
            child.stop(seconds=40)
        for server in reversed(self._servers):
            server.stop()
        self._guard.release()

    def kill(self) -> None:
        """Kill our own processes at once."""
        for child in self.children:
            child.kill()
