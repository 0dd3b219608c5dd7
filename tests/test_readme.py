"""What the README tells a stranger to type works; the rest of it names what is there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx

from tests.stack.processes import Stack, until

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def shell_blocks() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", README, re.DOTALL)


def test_the_curl_calls_work_against_a_running_stack(stack: Stack, tmp_path: Path) -> None:
    stack.api()
    stack.steward()
    stack.worker()
    (tmp_path / ".local").mkdir()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    keys = {"api_url": stack.api_url, "api_key": stack.keys["key"]}
    (tmp_path / ".local" / "stack.json").write_text(json.dumps(keys))
    (script,) = [block for block in shell_blocks() if "curl" in block]
    done = subprocess.run(
        ["bash", "-euc", script], check=False, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    finished = json.loads((tmp_path / "finished.json").read_text())
    assert (finished["status"], finished["repo"]) == ("succeeded", "ada/engine")
    hooked = json.loads(done.stdout)
    assert hooked["webhook"]["url"] == "http://127.0.0.1:9000/hooks/til"
    with stack.client() as client:
        until(lambda: client.get(f"/v1/jobs/{hooked['id']}").json()["webhook"]["attempts"] == 1)


def test_the_til_command_submits_a_checkout_and_prints_the_post(stack: Stack, tmp_path: Path) -> None:
    stack.api()
    stack.steward()
    stack.worker()
    til = Path(sys.executable).with_name("til")
    server = {"TIL_URL": stack.api_url, "TIL_KEY": stack.keys["key"], "PATH": "/usr/bin:/bin:/usr/local/bin"}
    done = subprocess.run(
        [str(til), "submit", str(ROOT), "--language", "en"],
        check=False,
        cwd=tmp_path,
        env=server,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "## What I learned today" in done.stdout
    listed = httpx.get(f"{stack.api_url}/v1/jobs", headers={"Authorization": f"Bearer {stack.keys['key']}"})
    assert listed.json()["jobs"][0]["status"] == "succeeded"


def test_every_link_and_folder_of_the_readme_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README) + re.findall(
        r"^\| `(\w+/)` \|", README, re.MULTILINE
    )
    assert len(links) > 7
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_make_targets_of_the_documents_are_there() -> None:
    named = set(re.findall(r"\bmake ([a-z]+)\b", README + (ROOT / "CONTRIBUTING.md").read_text()))
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"run", "test", "check", "lock"} <= named & targets


def test_every_setting_of_the_operators_page_is_one_that_is_read() -> None:
    page = (ROOT / "docs" / "operate.md").read_text()
    named = set(re.findall(r"`(TIL_[A-Z_]+)`", page.split("## When")[0]))
    from api.settings import ApiSettings
    from steward.settings import StewardSettings
    from webhooks.settings import WebhookSettings
    from worker.settings import WorkerSettings

    known = {
        f"TIL_{n.upper()}" for c in (ApiSettings, StewardSettings, WorkerSettings) for n in c.model_fields
    }
    known |= {f"TIL_WEBHOOK_{name.upper()}" for name in WebhookSettings.model_fields}
    assert named <= known
    assert known - named <= {"TIL_DATABASE_URL", "TIL_REDIS_URL"}
