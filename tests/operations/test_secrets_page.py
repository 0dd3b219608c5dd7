"""The SQL and the commands of docs/operations/secrets.md, as an operator runs them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import httpx

from tests.conftest import execute
from tests.operations.pages import FOLDER, blocks
from tests.stack.processes import Stack, until

PAGE = (FOLDER / "secrets.md").read_text()


def more_keys(stack: Stack) -> dict[str, str]:
    """`til-server bootstrap --tenant tests`: the names and values that it prints."""
    command = [sys.executable, "-m", "admin", "bootstrap", "--tenant", "tests"]
    environment = os.environ | stack.environment()
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return dict(line.split() for line in done.stdout.splitlines()[1:])


def status(stack: Stack, key: str) -> int:
    """What the api answers to this key."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.get(f"{stack.api_url}/v1/jobs", headers=headers).status_code


def test_a_key_is_replaced_and_the_old_one_revoked_by_itself(stack: Stack) -> None:
    stack.api()
    made = more_keys(stack)
    assert made.keys() == {"tenant_id", "admin_key", "key"}
    old, admin, new = stack.keys["key"], stack.keys["admin_key"], made["key"]
    assert [status(stack, key) for key in (old, admin, new)] == [200, 200, 200]
    [one, _] = blocks(PAGE, "sql")
    asyncio.run(execute(stack.database_url, one.replace("til_THE_OLD_KEY", old)))
    until(lambda: status(stack, old) == 401, 15)
    assert [status(stack, key) for key in (admin, new)] == [200, 200]


def test_all_older_keys_of_a_tenant_are_revoked_and_no_others(stack: Stack) -> None:
    stack.api()
    other = stack.another_tenant()["key"]
    age = "UPDATE api_keys SET created_at = now() - interval '2 hours'"
    asyncio.run(execute(stack.database_url, age))
    new = more_keys(stack)["key"]
    [_, all_older] = blocks(PAGE, "sql")
    asyncio.run(execute(stack.database_url, all_older.replace("'NAME'", "'tests'")))
    assert [status(stack, stack.keys[name]) for name in ("key", "admin_key")] == [401, 401]
    assert [status(stack, key) for key in (new, other)] == [200, 200]
