"""`make bench-engine`: tokens a second straight through AsyncLLM and through the whole queue, in alternation.

Environment: JOBS a round, ROUNDS, IN_FLIGHT, SEED; LIVE=on (with live text), off (without) or both (the queue
against itself: what live text costs); MODEL, else the tiny model on the CPU; FRESH=1: each round starts its
engine anew, where a GPU can't hold two. TIL_PROFILE and a worker's other settings hold for both sides.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from rich.console import Console

from tests.bench.alternation import Alternation, Round
from tests.bench.servers import logs_of_a_failure, servers
from tests.bench.sides import Bench
from tests.bench.table import table_of
from tests.tiny_model import CONTEXT, build

ALWAYS = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
TINY = {"TIL_MAX_MODEL_LEN": str(CONTEXT), "TIL_ENFORCE_EAGER": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}
PAIRS = {"on": ("direct", "queue"), "off": ("direct", "silent"), "both": ("silent", "queue")}


def main() -> int:
    """Run it with the environment's values."""
    jobs, rounds = int(os.environ.get("JOBS") or 150), int(os.environ.get("ROUNDS") or 5)
    in_flight, seed = int(os.environ.get("IN_FLIGHT") or 30), int(os.environ.get("SEED") or 1)
    pair, fresh = PAIRS[os.environ.get("LIVE") or "on"], os.environ.get("FRESH") == "1"
    console, done = Console(width=110), list[Round]()
    with tempfile.TemporaryDirectory(prefix="til-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with servers(folder) as (stack, processes), logs_of_a_failure(folder):
            processes |= {"api": stack.api().popen.pid, "steward": stack.steward().popen.pid}
            bench = Bench(stack, folder, seed, in_flight, environment(folder))
            for one in Alternation(bench, jobs, fresh, processes).run(pair, rounds):
                done.append(one)
                console.print(f"{one.side}: {one.tokens} tokens, {one.speed.steady:,.0f} a second")
    title = f"{jobs} jobs a round, {in_flight} in flight, SEED={seed}"
    console.print(table_of(title, pair, done))
    return 0


def environment(folder: Path) -> dict[str, str]:
    """The settings of both engines: those of this process, or the tiny model's."""
    if model := os.environ.get("MODEL"):
        return ALWAYS | {"TIL_MODEL": model}
    return ALWAYS | TINY | {"TIL_MODEL": str(build(folder / "model"))}


def interrupted(_: int, __: FrameType | None) -> None:
    """SIGTERM ends everything that was started, as SIGINT does."""
    sys.exit(143)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupted)
    sys.exit(main())
