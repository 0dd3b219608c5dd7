"""`make run` in a checkout of its own, and which of its processes run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil


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
