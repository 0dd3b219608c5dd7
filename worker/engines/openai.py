"""The engine for any OpenAI-compatible server: one kind of call, over httpx."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import httpx
import structlog

from capacity.kv_budget import KvCache
from worker.engines import (
    Call,
    Completion,
    Encoded,
    EngineAway,
    EngineFailed,
    EngineInfo,
    EngineRefused,
    EngineTimeout,
    OnText,
)
from worker.engines.answer import StreamedAnswer
from worker.engines.events import END, chunks_of, events_of
from worker.engines.refusal import asked_to_wait, error_of_refusal, parse_error_body

CALLS = 200
"""Connections for calls, at the most."""
LONGEST_REFUSAL_BYTES = 65_536
PROMPT_BUDGET_TOKENS = 24_000
"""Where the context of the server's model is not known: 32k less the answer."""
TEMPLATE_TOKENS = 64
"""That a chat template adds to the two messages, at the most."""
AFTER_FINISH_SECONDS = 5.0
"""How long usage and end of the stream are waited for after the answer; some servers send neither."""
MALFORMED = (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError)
"""Raised when a response has another shape than the protocol's."""
UNREACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)
log = structlog.get_logger()


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
        self.info = EngineInfo("openai", "unknown", model, None, None, enforces_schema=False)
        self._model = model
        self._key = key
        self._max_model_len = max_model_len
        self._running = 0
        self._http, self._probe = (
            httpx.AsyncClient(
                base_url=url.rstrip("/") + "/",
                headers={"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {key}"} if key else {}),
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
        version = answer.headers.get("server", "unknown")[:100]
        self.info = EngineInfo("openai", version, self._model, None, None, enforces_schema=False)

    def prompt_budget(self, max_output_tokens: int) -> int | None:
        """The context less the answer, if the context is known."""
        return self._max_model_len - max_output_tokens if self._max_model_len else PROMPT_BUDGET_TOKENS

    def encode(self, system: str, user: str) -> Encoded:
        """An upper estimate: a token for two bytes, and the chat template."""
        size = len(system.encode(errors="replace")) + len(user.encode(errors="replace"))
        return Encoded(size // 2 + 1 + TEMPLATE_TOKENS)

    def kv_cache(self) -> KvCache | None:
        """None: the server manages it."""
        return None

    async def generate(self, call: Call, on_text: OnText) -> Completion:
        """Stream one completion; cancelling closes the connection. Raises EngineFailed, InputTooLarge."""
        self._running += 1
        try:
            return await self._generate(call, on_text)
        except EngineRefused as error:
            if error.affects_all and not await self.alive():
                raise EngineAway(str(error), error.said) from error
            raise
        except UNREACHED as error:
            raise EngineAway(f"The model's server can't be reached ({_kind(error)}).") from error
        except httpx.TimeoutException as error:
            raise EngineTimeout("The model's server did not answer in time.") from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, *MALFORMED) as error:
            raise EngineFailed(f"The model's server broke off ({_kind(error)}).") from error
        finally:
            self._running -= 1

    async def _generate(self, call: Call, on_text: OnText) -> Completion:
        async with self._http.stream("POST", "chat/completions", json=self._body(call)) as response:
            if not response.is_success:
                reply = parse_error_body(self._without_key(await _first_bytes(response)))
                raise error_of_refusal(response.status_code, reply, asked_to_wait(response.headers))
            answer = StreamedAnswer(on_text)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None) as limit:
                    await _read(response, answer, limit)
        return answer.completion(call)

    def _without_key(self, body: bytes) -> bytes:
        return body.replace(self._key.encode(), b"[key]") if self._key else body

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

    async def alive(self) -> bool:
        """Whether the server answers and offers the model to this key; a busy server is alive.

        It has a connection of its own, so that it does not wait for the calls.
        """
        try:
            answer = await self._probe.get("models")
        except httpx.HTTPError as error:
            log.warning("engine_unreached", error=repr(error)[:200])
            return False
        offered = _offered(answer)
        known = answer.status_code not in (401, 403, 404) and (offered is None or self._model in offered)
        if not known:
            log.error("engine_misconfigured", status=answer.status_code, model=self._model)
        return known

    def load(self) -> tuple[int, int]:
        """The open calls, and 0: what waits in the server is not known here."""
        return self._running, 0

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        await self._probe.aclose()


async def _read(response: httpx.Response, answer: StreamedAnswer, limit: asyncio.Timeout) -> None:
    async with contextlib.aclosing(events_of(response)) as events:
        async for event in events:
            if event == END:
                answer.done = True
                return
            answer.feed(event)
            if answer.reason and limit.when() is None:
                limit.reschedule(asyncio.get_running_loop().time() + AFTER_FINISH_SECONDS)
            await asyncio.sleep(0)


async def _first_bytes(response: httpx.Response) -> bytes:
    """The first bytes of an error response; that it breaks off or takes long is no further error."""
    body = b""
    with contextlib.suppress(httpx.HTTPError, TimeoutError):
        async with (
            asyncio.timeout(AFTER_FINISH_SECONDS),
            contextlib.aclosing(chunks_of(response)) as parts,
        ):
            async for part in parts:
                body += part
                if len(body) > LONGEST_REFUSAL_BYTES:
                    break
    return body[:LONGEST_REFUSAL_BYTES]


def _offered(answer: httpx.Response) -> list[str] | None:
    """The models that the server lists; None if the response is no list."""
    try:
        return [str(model["id"]) for model in answer.json()["data"]] if answer.is_success else None
    except MALFORMED:
        return None


def _kind(error: Exception) -> str:
    return type(error).__name__
