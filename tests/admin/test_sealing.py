"""`til-server` and the keys that seal webhook secrets, as an operator uses them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.stack.jobs import Jobs
from tests.stack.processes import Stack, until
from tests.stack.receiver import Receiver
from tests.stack.sealing import SECRET_KEYS
from tests.webhooks.told import QUICK


def til_server(stack: Stack, *arguments: str, keys: str = SECRET_KEYS) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ) | stack.environment(TIL_SECRET_KEYS=keys)
    command = [sys.executable, "-m", "admin", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)


def test_keys_are_rotated_while_webhooks_go_on(stack: Stack, jobs: Jobs, receiver: Receiver) -> None:
    newer = til_server(stack, "secret-key").stdout.strip()
    assert til_server(stack, "reencrypt", keys=f"{newer},{SECRET_KEYS}").returncode == 0
    stack.steward(**QUICK, TIL_SECRET_KEYS=newer)
    stack.worker()
    jobs.submit(webhook={"url": receiver.url})
    until(lambda: receiver.messages, 60)
    assert not receiver.refused


@pytest.mark.parametrize("module", ["api", "steward"])
def test_a_process_without_the_key_does_not_start_and_says_why(stack: Stack, module: str) -> None:
    process = stack.start(module, TIL_SECRET_KEYS="")
    assert process.popen.wait(30) == 1
    [line] = [line for line in process.log.read_text().splitlines() if "not_started" in line]
    assert "TIL_SECRET_KEYS has no key that opens it" in json.loads(line)["error"]


def test_after_a_lost_key_each_tenant_gets_a_new_secret_and_all_else_works(stack: Stack) -> None:
    other = til_server(stack, "secret-key").stdout.strip()
    refused = til_server(stack, "reencrypt", keys=other)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "TIL_SECRET_KEYS has no key" in refused.stderr
    secret = til_server(stack, "new-secret", "--tenant", "tests", keys=other)
    assert secret.stdout.startswith("whsec_")
    assert til_server(stack, "reencrypt", keys=other).returncode == 0
    assert "no tenant nobody" in til_server(stack, "new-secret", "--tenant", "nobody").stderr


def test_without_a_key_the_secrets_are_plain_text_and_a_warning_says_so(stack: Stack) -> None:
    made = til_server(stack, "bootstrap", "--tenant", "plain", "--json", keys="")
    assert json.loads(made.stdout)["webhook_secret"].startswith("whsec_")
    assert "webhook secrets are stored as plain text" in made.stderr
    assert "Set TIL_SECRET_KEYS" in til_server(stack, "reencrypt", keys="").stderr
    bad = til_server(stack, "reencrypt", keys="not-a-key")
    assert bad.returncode == 1
    assert "not-a-key" not in bad.stderr
    assert "til-server secret-key" in bad.stderr
