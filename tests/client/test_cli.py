"""What the `til` command decides by itself: which server, exit codes, retries, what a terminal gets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.stack.processes import day

ID = "01966c3e-5f3a-7cc1-9d55-2f6f1c1f0a11"
KEY = "til_secret-key"


def job(status: str, **more: Any) -> dict[str, Any]:
    """A job as the API shows it."""
    names = (
        "started_at",
        "finished_at",
        "position",
        "wait",
        "waiting_for",
        "progress",
        "result",
        "partial_text",
    )
    empty = dict.fromkeys([*names, "error", "usage", "provenance", "webhook", "retry_of", "batch_id"])
    about = {"username": "ada", "date": "2025-04-24", "repo": "ada/engine", "language": "en", "attempts": 0}
    times = {"created_at": "2025-04-24T18:00:00.000Z", "priority": 0, "reused": False}
    lists = {"redactions": [], "metadata": {}, "cancel_requested": False}
    return {"id": ID, "status": status, **empty, **about, **times, **lists, **more}


class Api:
    """Answers with a test's `answers`, in order; the last one repeatedly."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any, dict[str, str]]] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                api.requests.append(
                    (self.command, self.path, {k.lower(): v for k, v in self.headers.items()})
                )
                status, body, headers = api.answers.pop(0) if len(api.answers) > 1 else api.answers[0]
                data = json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"content-length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

            def log_message(self, *_: Any) -> None:
                """Nothing to say."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def api() -> Iterator[Api]:
    """A server that says what the test wants."""
    server = Api()
    yield server
    server.close()


def til(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TIL_")}
    return subprocess.run(
        [str(Path(sys.executable).with_name("til")), *arguments],
        check=False,
        cwd=folder,
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=60,
        input=json.dumps(day()),
    )


def to(api: Api) -> dict[str, str]:
    return {"TIL_URL": api.url, "TIL_KEY": KEY}


def test_without_a_known_server_it_says_what_to_set(tmp_path: Path) -> None:
    done = til(tmp_path, "queue")
    assert done.returncode == 2
    assert "TIL_URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_finds_the_local_stack_from_a_folder_below_it(tmp_path: Path, api: Api) -> None:
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "stack.json").write_text(json.dumps({"api_url": api.url, "api_key": KEY}))
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    api.answers = [(200, {"jobs": [job("queued")], "next_cursor": None}, {})]
    done = til(below, "list", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["jobs"][0]["id"] == ID
    assert api.requests[0][2]["authorization"] == f"Bearer {KEY}"


def test_a_submit_is_tried_again_with_one_idempotency_key(tmp_path: Path, api: Api) -> None:
    busy = {"code": "database_unavailable", "detail": "away", "status": 503}
    api.answers = [(503, busy, {"Retry-After": "0"})] * 2 + [(202, job("queued"), {})]
    done = til(tmp_path, "submit", "--request", "-", "--no-wait", **to(api))
    assert (done.returncode, done.stdout.strip()) == (0, ID), done.stderr
    keys = {headers["idempotency-key"] for _, _, headers in api.requests}
    assert (len(api.requests), len(keys)) == (3, 1)


def test_a_refusal_names_the_field_and_the_request(tmp_path: Path, api: Api) -> None:
    errors = [{"pointer": "/files/0", "message": "is wrong"}]
    problem = {
        "code": "invalid_request",
        "detail": "The request is invalid.",
        "status": 422,
        "errors": errors,
    }
    api.answers = [(422, problem | {"request_id": "r-1"}, {})]
    done = til(tmp_path, "submit", "--request", "-", **to(api))
    assert done.returncode == 1
    for part in ("invalid_request", "/files/0", "is wrong", "r-1"):
        assert part in done.stderr


def test_a_failed_job_is_exit_code_1_with_its_error(tmp_path: Path, api: Api) -> None:
    error = {"code": "engine_failed", "message": "The engine failed.", "retryable": True}
    api.answers = [(202, job("queued"), {}), (200, job("failed", error=error), {})]
    done = til(tmp_path, "submit", "--request", "-", **to(api))
    assert done.returncode == 1
    assert "engine_failed" in done.stderr


def test_no_control_character_of_a_post_reaches_the_terminal(tmp_path: Path, api: Api) -> None:
    content = "# \x1b[31mred\x07\n\n[bold]text[/bold] \x9b2J\n"
    result = {"title": "t", "keywords": [], "content": content, "sections": []}
    api.answers = [(200, job("succeeded", result=result, repo="\x1b]0;title\x07x"), {})]
    for arguments in (("show", ID), ("wait", ID)):
        done = til(tmp_path, *arguments, **to(api))
        assert done.returncode == 0, done.stderr
        assert not set(done.stdout + done.stderr) & set("\x1b\x07\x9b")
        assert "[bold]text[/bold]" in done.stdout


def test_an_unreachable_server_is_one_sentence(tmp_path: Path, api: Api) -> None:
    api.close()
    done = til(tmp_path, "queue", **to(api))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert KEY not in done.stderr
