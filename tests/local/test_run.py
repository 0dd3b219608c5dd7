"""`make run`, as a person starts it: the post, the webhook, a clean stop, and clear sentences."""

from __future__ import annotations

import json
import os
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


def left_running(checkout: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            if str(checkout) in process.environ().get("PYTHONPATH", "") or str(checkout) in process.cwd():
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


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
    text = checkout / "out"
    until(lambda: "serving" in text.read_text() or process.poll() is not None, 60)
    assert process.poll() is None, text.read_text()
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


def test_what_a_killed_run_left_is_ended_by_the_next_one(
    checkout: Path, serving: subprocess.Popen[bytes]
) -> None:
    serving.kill()
    serving.wait()
    assert len(left_running(checkout)) >= 5
    done = run_once(checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert left_running(checkout) == []


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
