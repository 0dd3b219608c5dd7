"""Any OpenAI-compatible server, over httpx: the one call that is needed earns no further package."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

from jobs.room import KvCache
from worker.engines import Call, Encoded, EngineFailed, EngineInfo, EngineTimeout, OnText, Written

CALLS = 200
"""At once, at the most."""
LONGEST_ANSWER_BYTES = 4 * 1024 * 1024
PROMPT_BUDGET_TOKENS = 24_000
"""What a server's context is taken for when it does not say: 32k less room for the answer."""
TEMPLATE_TOKENS = 64
"""What a chat template puts around the two messages, at the most."""

MALFORMED = (ValueError, KeyError, TypeError, IndexError, AttributeError)
"""What reading JSON of another shape than the protocol's raises."""


class OpenAIEngine:
    """`url` ends in `/v1`. Each piece of an answer must come within `timeout_seconds`."""

    def __init__(
        self,
        url: str,
        key: str | None,
        model: str,
        timeout_seconds: float = 120,
        max_model_len: int | None = None,
    ) -> None:
        self.info = EngineInfo("openai", "unknown", model, None, None)
        self._model = model
        self._max_model_len = max_model_len
        self._running = 0
        self._http, self._probe = (
            httpx.AsyncClient(
                base_url=url.rstrip("/") + "/",
                headers={"Authorization": f"Bearer {key}"} if key else {},
                timeout=httpx.Timeout(timeout_seconds, connect=10),
                limits=httpx.Limits(max_connections=connections),
            )
            for connections in (CALLS, 1)
        )

    async def start(self) -> None:
        """Check that the server offers the model. Raises EngineFailed."""
        try:
            answer = await self._http.get("models")
            answer.raise_for_status()
            models = [str(model["id"]) for model in answer.json()["data"]]
        except (httpx.HTTPError, *MALFORMED) as error:
            raise EngineFailed(
                f"The OpenAI-compatible server gives no list of models ({_kind(error)})."
            ) from error
        if self._model not in models:
            raise EngineFailed(f"The server offers {', '.join(models[:5]) or 'no model'}, not {self._model}.")
        self.info = EngineInfo(
            "openai", answer.headers.get("server", "unknown")[:100], self._model, None, None
        )

    def prompt_budget(self, max_output_tokens: int) -> int | None:
        """The context less the answer, by the server's own limit where it was set."""
        return self._max_model_len - max_output_tokens if self._max_model_len else PROMPT_BUDGET_TOKENS

    def encode(self, system: str, user: str) -> Encoded:
        """Two bytes a token, which is more than any usual tokenizer needs, and room for the chat template."""
        written = len(system.encode(errors="replace")) + len(user.encode(errors="replace"))
        return Encoded(written // 2 + 1 + TEMPLATE_TOKENS)

    def kv_cache(self) -> KvCache | None:
        """The server's own business."""
        return None

    async def generate(self, call: Call, on_text: OnText) -> Written:
        """Stream one chat completion. Raises EngineFailed; cancelling closes the connection."""
        self._running += 1
        try:
            async with self._http.stream("POST", "chat/completions", json=self._body(call)) as response:
                if response.status_code != 200:
                    raise EngineFailed(f"The model's server answered {response.status_code}.")
                return await self._read(response, on_text)
        except httpx.TimeoutException as error:
            raise EngineTimeout("The model's server did not answer in time.") from error
        except (httpx.HTTPError, *MALFORMED) as error:
            raise EngineFailed(f"The model's server broke off ({_kind(error)}).") from error
        finally:
            self._running -= 1

    def _body(self, call: Call) -> dict[str, Any]:
        schema = {"name": "til_post", "strict": True, "schema": call.schema}
        return {
            "model": self._model,
            "messages": [
                {"role": "system", "content": call.system},
                {"role": "user", "content": call.user},
            ],
            "response_format": {"type": "json_schema", "json_schema": schema},
            "temperature": call.temperature,
            "seed": call.seed,
            "max_tokens": call.max_output_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }

    async def _read(self, response: httpx.Response, on_text: OnText) -> Written:
        usage: dict[str, Any] = {}
        text, reason, pieces = "", None, 0
        async for event in _events(response):
            usage = event.get("usage") or usage
            for choice in event.get("choices") or []:
                delta = (choice.get("delta") or {}).get("content") or ""
                reason = choice.get("finish_reason") or reason
                if delta:
                    text, pieces = text + delta, pieces + 1
                    on_text(delta, pieces)
        if reason is None:
            raise EngineFailed("The model's server ended its answer without a finish.")
        return Written(
            text=text,
            complete=reason == "stop",
            prompt_tokens=int(usage.get("prompt_tokens") or 0),
            cached_tokens=int((usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0),
            completion_tokens=int(usage.get("completion_tokens") or pieces),
        )

    async def alive(self) -> bool:
        """Whether the server answers; on a connection of its own, or it would wait behind the calls."""
        try:
            return (await self._probe.get("models")).status_code < 500
        except httpx.HTTPError:
            return False

    def load(self) -> tuple[int, int]:
        """The calls that are open; what waits in the server is not known here."""
        return self._running, 0

    async def close(self) -> None:
        """Drop the connections."""
        await self._http.aclose()
        await self._probe.aclose()


async def _events(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    """The JSON of each server-sent event, until `[DONE]`."""
    got = 0
    async for line in response.aiter_lines():
        got += len(line)
        if got > LONGEST_ANSWER_BYTES:
            raise EngineFailed("The model's server answered without an end.")
        if line.startswith("data:"):
            data = line[5:].strip()
            if data == "[DONE]":
                return
            event = json.loads(data)
            if "error" in event:
                raise EngineFailed("The model's server reported an error in its answer.")
            yield event
            await asyncio.sleep(0)


def _kind(error: Exception) -> str:
    return type(error).__name__
