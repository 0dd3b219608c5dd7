"""The system user that runs PostgreSQL for root."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

ASK = """
import sys
from pathlib import Path
from deploy.local import system_user
system_user.SYSTEM_USER = sys.argv[1]
print("ready", flush=True)
sys.stdin.readline()
print(system_user.identity(Path(sys.argv[2])).get("user"))
"""


def test_processes_that_start_at_once_on_a_new_machine_share_one_user(tmp_path: Path) -> None:
    """Who isn't root needs no such user and gets none."""
    name = f"til-{uuid.uuid4().hex[:8]}"
    command = [sys.executable, "-c", ASK, name, str(tmp_path / "data")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    started = [subprocess.Popen(command, **pipes) for _ in range(6)]  # type: ignore[call-overload]
    try:
        for process in started:
            assert process.stdout.readline() == "ready\n"
        for process in started:
            process.stdin.write("\n")
            process.stdin.flush()
        users = {process.communicate(timeout=60)[0].strip() for process in started}
    finally:
        if os.geteuid() == 0:
            subprocess.run(["userdel", name], check=True, capture_output=True)
    assert len(users) == 1
    assert (users == {"None"}) == (os.geteuid() != 0)
