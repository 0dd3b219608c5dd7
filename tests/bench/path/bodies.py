"""The requests that every side gets, drawn with a seed, and the post that every side's engine writes."""

from __future__ import annotations

import json
import random
from typing import Any

from tests.bench.drawn import body, function

BYTES = 16 * 1024
"""The size of a body: a day of three files and four commits with some code."""
POST: dict[str, Any] = {
    "title": "The crank",
    "summary": "What was learned today.",
    "content": "# The crank\n\n" + "- The mill turns when the crank does.\n" * 20,
    "format": "markdown",
}


def padded(seed: int, number: int) -> bytes:
    """The body of a request as JSON, of `BYTES` or a little more."""
    day, draw = body(seed, number), random.Random(number)
    while (missing := BYTES - len(json.dumps(day))) > 0:
        for file in day["files"]:
            file["latest_code"] += "\n" + function(draw) * (1 + missing // 3000)
    return json.dumps(day).encode()
