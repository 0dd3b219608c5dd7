"""The engine without a model: an extractive, deterministic outline of the commits and their diffs."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Any

from capacity.kv_budget import KvCache
from til.post import SECTIONS
from worker.engines import Call, Completion, Encoded, EngineInfo, OnText
from worker.engines.outline.draft import outline

CHUNKS = 20


class OutlineEngine:
    """`seconds`: how long a post takes, for load tests and demonstrations; 0: no longer than it needs."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._running = 0
        self.info = EngineInfo("outline", version("til-queue"), None, None, None)

    async def start(self) -> None:
        """Nothing to load."""

    def prompt_budget(self, max_output_tokens: int) -> int | None:
        """None: it reads the request instead of a prompt."""
        return None

    def encode(self, system: str, user: str) -> Encoded:
        """An estimate of four characters a token."""
        return Encoded((len(system) + len(user)) // 4 + 1)

    def kv_cache(self) -> KvCache | None:
        """None: it has no KV cache."""
        return None

    async def generate(self, call: Call, on_text: OnText) -> Completion:
        """The outline as JSON, in pieces spread over `seconds`."""
        self._running += 1
        try:
            return await self._generate(call, on_text)
        finally:
            self._running -= 1

    async def _generate(self, call: Call, on_text: OnText) -> Completion:
        draft = await asyncio.to_thread(outline, call.request, *allowed(call.schema))
        text = draft.model_dump_json()
        if self._seconds <= 0:
            on_text(text, 0)
        else:
            step = len(text) // CHUNKS + 1
            for begin in range(0, len(text), step):
                await asyncio.sleep(self._seconds / CHUNKS)
                on_text(text[begin : begin + step], 0)
        return Completion(text, True, 0, 0, 0)

    async def alive(self) -> bool:
        """Always."""
        return True

    def load(self) -> tuple[int, int]:
        """The running calls; none ever waits."""
        return self._running, 0

    async def close(self) -> None:
        """Nothing to free."""


def allowed(schema: dict[str, Any]) -> tuple[list[str], int, int, int]:
    """What the schema of a post allows: sources, points a section, characters a point, sources a point."""
    section, point = schema["properties"][SECTIONS[0]], schema["$defs"]["point"]["properties"]
    most, cited = int(section["maxItems"]), int(point["sources"]["maxItems"])
    return schema["$defs"]["source"]["enum"], most, int(point["text"]["maxLength"]), cited
