"""`make run`, as a person starts it: the post, the webhook, a clean stop, and clear sentences."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from sqlalchemy import text

from deploy.local.stack import SHORTEST_LIFE_SECONDS
from jobs.database import ADMIN, Database
from tests.stack.processes import until

ROOT = Path(__file__).parent.parent.parent
GIT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git checkout of the product as it is now, with one commit."""
    folder = tmp_path / "checkout"
    left_out = shutil.ignore_patterns(".git", ".venv*", ".local", "__pycache__", "*.egg-info", ".*_cache")
    shutil.copytree(ROOT, folder, ignore=left_out)
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "feat: a queue for posts"]):
        subprocess.run(["git", *command], cwd=folder, check=True, env=os.environ | GIT)
    return folder


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "deploy.local", *arguments]


def environment(checkout: Path, **more: str) -> dict[str, str]:
    here = {"API_PORT": "0", "FLOWER_PORT": "0", "PYTHONPATH": str(checkout), "TIL_ENGINE": "outline"}
    return os.environ | here | more


def run_once(checkout: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("--once"),
        check=False,
        cwd=checkout,
        env=environment(checkout, **more),
        capture_output=True,
        text=True,
        timeout=120,
    )


def running(checkout: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if str(checkout) in process.environ().get("PYTHONPATH", "") or str(checkout) in process.cwd():
                found.append(process)
        except psutil.Error:
            continue
    return found


def left_running(checkout: Path) -> list[int]:
    return [process.pid for process in running(checkout)]


def test_it_writes_the_post_of_this_checkout_twice_and_leaves_nothing_running(checkout: Path) -> None:
    keys = []
    for _ in range(2):
        began = time.monotonic()
        done = run_once(checkout)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "feat: a queue for posts" in done.stdout
        assert "signature verified" in done.stdout
        assert "outline: it was asked for" in done.stdout
        seconds = time.monotonic() - began
        assert left_running(checkout) == []
        stack = checkout / ".local" / "stack.json"
        assert stat.S_IMODE(stack.stat().st_mode) == 0o600
        keys.append(json.loads(stack.read_text())["api_key"])
    assert keys[0] == keys[1]
    assert seconds < 15


@pytest.fixture
def serving(checkout: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`make run` that has printed its post and serves."""
    with (checkout / "out").open("wb") as out:
        process = subprocess.Popen(
            command(), cwd=checkout, env=environment(checkout), stdout=out, stderr=out, start_new_session=True
        )
    said = checkout / "out"
    until(lambda: "serving" in said.read_text() or process.poll() is not None, 60)
    assert process.poll() is None, said.read_text()
    yield process
    if process.poll() is None:
        process.kill()
    process.wait()


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


def test_what_a_killed_run_left_is_ended_at_once(checkout: Path, serving: subprocess.Popen[bytes]) -> None:
    assert len(left_running(checkout)) >= 6
    serving.kill()
    serving.wait()
    until(lambda: left_running(checkout) == [], 40)


def guards(checkout: Path) -> list[psutil.Process]:
    return [process for process in running(checkout) if "deploy.local.guard" in process.cmdline()]


def test_what_nobody_guarded_is_ended_by_the_next_run_on_the_same_port(
    checkout: Path, serving: subprocess.Popen[bytes]
) -> None:
    (guard,) = guards(checkout)
    guard.kill()
    serving.kill()
    serving.wait()
    assert len(left_running(checkout)) >= 5
    port = json.loads((checkout / ".local" / "stack.json").read_text())["api_url"].rpartition(":")[2]
    done = run_once(checkout, API_PORT=port)
    assert done.returncode == 0, done.stdout + done.stderr
    assert left_running(checkout) == []


def test_a_terminal_that_is_closed_stops_everything(checkout: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(checkout)
        os.execvpe(sys.executable, command(), environment(checkout))
    shown = b""
    while b"serving" not in shown:
        shown += os.read(terminal, 4096)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert left_running(checkout) == []


def test_a_make_that_is_killed_takes_everything_with_it(checkout: Path) -> None:
    make = subprocess.Popen(
        ["make", "-f", "-", "all"],
        cwd=checkout,
        env=environment(checkout),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert make.stdin
    assert make.stdout
    make.stdin.write(f"all:\n\t@{' '.join(command())}\n".encode())
    make.stdin.close()
    assert any(b"serving" in line for line in make.stdout)
    make.kill()
    make.wait()
    until(lambda: left_running(checkout) == [], 60)


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


def test_a_process_that_ends_by_itself_is_started_again(
    checkout: Path, serving: subprocess.Popen[bytes]
) -> None:
    worker = next(p for p in psutil.Process(serving.pid).children() if p.cmdline()[-1] == "worker")
    metrics = json.loads((checkout / ".local" / "stack.json").read_text())["metrics"]["worker"]
    until(lambda: time.time() - worker.create_time() > SHORTEST_LIFE_SECONDS + 2)  # by another clock
    worker.kill()
    until(lambda: "worker ended by itself and was started again" in (checkout / "out").read_text())
    until(lambda: "til_engine_ready 1.0" in text_of(metrics), 30)
    serving.terminate()
    assert serving.wait(60) == 0
    assert left_running(checkout) == []


def text_of(url: str) -> str:
    try:
        return httpx.get(url).text
    except httpx.TransportError:
        return ""


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
