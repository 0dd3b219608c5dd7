"""The jobs of the engine bench, drawn with a seed; what is known of each call; tokens a second of many."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.stack.processes import day
from til.request import TilRequest

SHORTEST, LONGEST = 200, 600
"""Tokens of an answer. Equal lengths would run in lockstep, which flatters an engine that is driven alone."""
SILENT = 10_000_000
"""Added to the number of a job without live text: other data, since read prompts are cached; same length."""
NAMES = ("crank", "mill", "card", "store", "engine", "punch", "wheel", "table", "lever", "drum")
VERBS = ("turn", "load", "read", "keep", "drop", "join", "count", "print", "sort", "check")


def body(seed: int, number: int) -> dict[str, Any]:
    """The request of a job: a day of three files and four commits, about a thousand tokens."""
    draw = random.Random(f"{seed}-{number}")
    shas = [f"{draw.getrandbits(160):040x}" for _ in range(4)]
    files = [
        _file(draw, f"src/{name}.py", shas[at : at + 2]) for at, name in enumerate(draw.sample(NAMES, 3))
    ]
    options = {"seed": draw.getrandbits(31), "max_output_tokens": LONGEST}
    return day(repo=f"bench-{number:08}", files=files, options=options, language="ko")


def _file(draw: random.Random, path: str, shas: Sequence[str]) -> dict[str, Any]:
    code = [function(draw) for _ in range(4)]
    patches = [
        _patch(draw, index, text, sha) for index, (text, sha) in enumerate(zip(code, shas, strict=False))
    ]
    return {"filepath": path, "latest_code": "\n".join(code), "patches": patches}


def function(draw: random.Random) -> str:
    """A small function of drawn names."""
    verb, name, other = draw.choice(VERBS), *draw.sample(NAMES, 2)
    return (
        f"def {verb}_{name}({other}: int) -> int:\n"
        f'    """{verb.capitalize()} the {name} by the {other}."""\n'
        f"    return {other} * {draw.randint(2, 99)} + {draw.randint(2, 99)}\n"
    )


def _patch(draw: random.Random, index: int, code: str, sha: str) -> dict[str, Any]:
    lines = [f"+{line}" for line in code.splitlines()]
    head = f"@@ -{4 * index + 1},1 +{4 * index + 1},{len(lines)} @@"
    message = f"{draw.choice(['fix', 'feat'])}: {draw.choice(VERBS)} the {draw.choice(NAMES)}\n\nIt was slow."
    return {"commit_message": message, "patch": "\n".join([head, "-pass", *lines]) + "\n", "sha": sha}


def number_of(request: TilRequest) -> int:
    """The number that the job was drawn by."""
    return int(request.repo.removeprefix("bench-"))


def length(seed: int, number: int) -> int:
    """The tokens that this job's answer has."""
    return random.Random(seed + number % SILENT).randint(SHORTEST, LONGEST)


@dataclass(frozen=True)
class Spent:
    """One call: when it was in the engine's hands (seconds of the machine's monotonic clock), its tokens."""

    number: int
    began: float
    ended: float
    prompt_tokens: int
    tokens: int

    def within(self, begin: float, end: float) -> float:
        """The share of this call that lies in a span of time."""
        return max(0.0, min(end, self.ended) - max(begin, self.began)) / (self.ended - self.began)


class Book:
    """Keeps what was spent in a file, from where another process reads it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, spent: Spent) -> None:
        """Add one call."""
        with self._path.open("a") as file:
            file.write(json.dumps(asdict(spent)) + "\n")

    def read(self, numbers: Sequence[int], seconds: float = 5) -> list[Spent]:
        """The calls of these jobs. Fails when one is missing, or was made twice."""
        wanted, deadline = set(numbers), time.monotonic() + seconds
        while True:
            lines = self._path.read_text().splitlines() if self._path.exists() else []
            found = [spent for line in lines if (spent := Spent(**json.loads(line))).number in wanted]
            if len(found) >= len(wanted) or time.monotonic() > deadline:
                assert sorted(spent.number for spent in found) == sorted(wanted)
                return found
            time.sleep(0.05)


@dataclass(frozen=True)
class Speed:
    """Tokens a second while the load was steady, and how many calls were then in flight; and over the whole.

    Steady is from the beginning of the call that filled the engine to that of the last call. A call's tokens
    are taken to be spread evenly over its time.
    """

    steady: float
    in_flight: float
    whole: float


def speed(calls: Sequence[Spent], in_flight: int) -> Speed:
    """Of the calls of one round, of which there must be more than `in_flight`."""
    begins = sorted(call.began for call in calls)
    begin, end = begins[in_flight - 1], begins[-1]
    steady = sum(call.tokens * call.within(begin, end) for call in calls)
    busy = sum(call.within(begin, end) * (call.ended - call.began) for call in calls)
    whole = sum(call.tokens for call in calls) / (max(call.ended for call in calls) - begins[0])
    return Speed(steady / (end - begin), busy / (end - begin), whole)
