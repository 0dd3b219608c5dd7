"""`make run`, as a person starts it: the post, the webhook, a clean stop, and clear sentences."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import httpx
from sqlalchemy import text

from base.database import ADMIN, Database
from tests.local.conftest import GIT, serving_in
from tests.local.runs import environment, left_running, run_once


def test_it_writes_the_post_of_this_checkout_twice_and_leaves_nothing_running(checkout: Path) -> None:
    keys = []
    for _ in range(2):
        done = run_once(checkout)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "feat: a queue for posts" in done.stdout
        assert "signature verified" in done.stdout
        assert "outline: it was asked for" in done.stdout
        assert left_running(checkout) == []
        stack = checkout / ".local" / "stack.json"
        assert stat.S_IMODE(stack.stat().st_mode) == 0o600
        keys.append(json.loads(stack.read_text())["api_key"])
    assert keys[0] == keys[1]


def test_it_serves_until_ctrl_c_and_a_second_run_says_that_one_is_there(
    checkout: Path, serving: subprocess.Popen[bytes]
) -> None:
    second = run_once(checkout)
    assert (second.returncode, second.stderr.count("\n")) == (1, 1)
    assert f"process {serving.pid}" in second.stderr
    stack = json.loads((checkout / ".local" / "stack.json").read_text())
    assert httpx.get(f"{stack['api_url']}/readyz").status_code == 200
    assert httpx.get(f"{stack['flower_url']}/workers").status_code == 401
    login = (stack["flower_user"], stack["flower_password"])
    assert httpx.get(f"{stack['flower_url']}/workers", auth=login).status_code == 200
    serving.send_signal(signal.SIGINT)
    assert serving.wait(60) == 0
    assert left_running(checkout) == []


def test_it_serves_also_where_its_own_post_can_not_be_written(checkout: Path, tmp_path: Path) -> None:
    """A shallow clone lacks what its only commit has changed."""
    subprocess.run(
        ["git", "commit", "-q", "--allow-empty", "-m", "x"], cwd=checkout, check=True, env=os.environ | GIT
    )
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth=1", checkout.as_uri(), str(shallow)], check=True)
    with serving_in(shallow) as process:
        assert "til ended with exit code" in (shallow / "out").read_text()
        stack = json.loads((shallow / ".local" / "stack.json").read_text())
        assert httpx.get(f"{stack['api_url']}/readyz").status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.strip().splitlines()
    return line


def test_a_port_in_use_is_one_sentence_with_the_variable_to_set(checkout: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for variable in ("API_PORT", "FLOWER_PORT"):
            said = sentence(run_once(checkout, **{variable: port}))
            assert port in said
            assert variable in said


def test_a_missing_git_is_one_sentence(checkout: Path, tmp_path: Path) -> None:
    assert "git is missing" in sentence(run_once(checkout, PATH=str(tmp_path)))


def test_a_broken_migration_is_one_sentence_and_leaves_nothing_running(checkout: Path) -> None:
    broken = checkout / "migrations" / "versions" / "v0002_guard.py"
    broken.write_text(broken.read_text().replace("CREATE FUNCTION jobs_guard", "CREATE FUNKTION jobs_guard"))
    said = sentence(run_once(checkout))
    assert "can't be migrated" in said
    assert "FUNKTION" in said
    assert left_running(checkout) == []


def test_make_run_needs_nothing_but_git_make_and_python(checkout: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    python = sys.base_prefix + f"/bin/python3.{sys.version_info.minor}"
    done = subprocess.run(
        ["make", "run", "ONCE=1", f"PYTHON={python}"],
        check=False,
        cwd=checkout,
        env=environment(checkout, HOME=str(home), PYTHONPATH=""),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "signature verified" in done.stdout
    assert not (checkout / ".venv" / "bin" / "pytest").exists()
    assert left_running(checkout) == []


def test_existing_servers_are_used_instead(checkout: Path, database_url: str, redis_url: str) -> None:
    done = run_once(checkout, DATABASE_URL=database_url, REDIS_URL=redis_url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (checkout / ".local" / "postgres").exists()
    assert not (checkout / ".local" / "valkey").exists()
    assert asyncio.run(count_jobs(database_url)) == 1


async def count_jobs(database_url: str) -> int:
    database = Database(database_url, ADMIN)
    async with database.session() as session:
        count = (await session.execute(text("SELECT count(*) FROM jobs"))).scalar_one()
    await database.close()
    return int(count)
