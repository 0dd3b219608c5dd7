"""`til webhooks`, and the example of the consumer's page, on real messages."""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.stack.jobs import Jobs
from tests.stack.processes import Stack, until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = '{"type":"til.succeeded","timestamp":"2025-04-24T18:00:00Z","data":{"id":"x","repo":"ada/engine"}}'
TIL = str(Path(sys.executable).with_name("til"))
PAGE = (Path(__file__).parent.parent.parent / "docs" / "webhooks.md").read_text()


def signed(body: str = BODY, secret: str = SECRET) -> dict[str, str]:
    now = datetime.datetime.now(datetime.UTC)
    signature = Webhook(secret).sign("msg_1", now, body)
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }


def verify(text: str, secret: str = SECRET) -> subprocess.CompletedProcess[str]:
    command = [TIL, "webhooks", "verify", "--secret", secret]
    return subprocess.run(command, check=False, input=text, capture_output=True, text=True)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_saved_request_is_verified(newline: str, end: str) -> None:
    lines = ["POST /hook HTTP/1.1", "Host: example.com", *(f"{k.title()}: {v}" for k, v in signed().items())]
    done = verify(newline.join([*lines, "", BODY]) + end)
    assert (done.returncode, done.stdout) == (0, "genuine: til.succeeded msg_1\n"), done.stderr


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 2),
        ("no headers at all", 2),
        ("a: b\n\n{}", 1),
        ("\n".join(f"{k}: {v}" for k, v in signed(secret="whsec_" + "B" * 32).items()) + "\n\n" + BODY, 1),
        ("\n".join(f"{k}: {v}" for k, v in signed().items()) + "\n\n" + BODY.replace("ada", "eve"), 1),
    ],
)
def test_a_request_that_is_not_genuine_fails_with_its_reason(text: str, code: int) -> None:
    done = verify(text)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr


def test_a_wrong_secret_is_a_sentence() -> None:
    done = verify("a: b\n\n{}", secret="")
    assert done.returncode == 2
    assert "whsec_" in done.stderr


def test_the_example_of_the_page_accepts_genuine_messages_only(monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    handled: list[tuple[str, str]] = []
    monkeypatch.setenv("TIL_WEBHOOK_SECRET", SECRET)
    names: dict[str, Any] = {"handle_once": lambda i, event: handled.append((i, event["type"]))}
    exec(example, names)
    assert sum(bool(line) for line in example.splitlines()) == 10
    receive = names["receive"]
    assert receive(signed(), BODY.encode()) == 204
    assert receive(signed(), b"{}") == 400
    assert handled == [("msg_1", "til.succeeded")]


def test_listen_prints_a_real_webhook_and_rotate_changes_the_secret(stack: Stack, jobs: Jobs) -> None:
    stack.steward()
    stack.worker()
    told = ["--url", stack.api_url, "--key", stack.keys["key"]]
    command = [TIL, *told, "webhooks", "rotate", "--overlap-seconds", "0"]
    rotated = subprocess.run(command, check=True, capture_output=True, text=True)
    secret = rotated.stdout.strip()
    assert secret.startswith("whsec_")
    assert secret != stack.keys["webhook_secret"]
    listening = subprocess.Popen(
        [TIL, "webhooks", "listen", "--port", "0", "--count", "1", "--secret", secret, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert listening.stderr is not None
    url = re.findall(r"http://\S+", listening.stderr.readline())[0]
    job_id = jobs.submit(webhook={"url": url})
    out, _ = listening.communicate(timeout=20)
    assert json.loads(out)["data"]["id"] == job_id
    assert listening.returncode == 0
    until(lambda: jobs.get(job_id)["webhook"]["state"] == "delivered")
