"""The engine bench itself, with few jobs: what it compares is equal. Its ratio is for quiet machines."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from tests.bench.drawn import length

JOBS, IN_FLIGHT, SEED = 4, 2, 7
FEW = {"JOBS": str(JOBS), "ROUNDS": "1", "IN_FLIGHT": str(IN_FLIGHT), "SEED": str(SEED), "LIVE": "on"}


def test_both_sides_of_the_bench_write_the_drawn_lengths_and_a_table_shows_them() -> None:
    command = [sys.executable, "-m", "tests.bench.engine"]
    environment = os.environ | FEW
    run = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stdout + run.stderr
    drawn = sum(length(SEED, number) for number in range(JOBS))
    written = re.findall(r"^(\w+): (\d+) tokens", run.stdout, re.MULTILINE)
    assert written == [("direct", str(drawn)), ("queue", str(drawn))]
    assert "median, steady tokens/s" in run.stdout
