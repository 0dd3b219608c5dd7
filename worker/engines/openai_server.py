"""The HTTP calls of an OpenAI-compatible server: models, chat completions, the count of running sequences."""

from __future__ import annotations

import asyncio
import contextlib
import re

import httpx
import structlog

from worker.engines import EngineAway, EngineFailed, EngineRefused, EngineTimeout, OnText
from worker.engines.answer import StreamedAnswer
from worker.engines.chat_request import ChatRequest
from worker.engines.events import END, chunks_of, events_of
from worker.engines.refusal import asked_to_wait, error_of_refusal, parse_error_body

CALLS = 200
"""Connections for calls, at the most."""
LONGEST_REFUSAL_BYTES = 65_536
LONGEST_METRICS_BYTES = 4 * 1024 * 1024
AFTER_FINISH_SECONDS = 5.0
"""How long usage and end of the stream are waited for after the answer; some servers send neither."""
MALFORMED = (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError)
"""Raised when a response has another shape than the protocol's."""
UNREACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)
RUNNING = re.compile(
    rb"^(?:vllm:num_requests_running|sglang:num_running_reqs|llamacpp:requests_processing"
    rb'|nv_trt_llm_request_metrics(?=\{[^}]*request_type="active"))'
    rb"(?:\{[^}]*\})? ([0-9.e+]+)",
    re.MULTILINE,
)
"""The metric of running sequences: of vLLM and Triton's vLLM backend, SGLang, llama.cpp, and Triton's backend
for TensorRT-LLM."""
log = structlog.get_logger()


class OpenAIServer:
    """`url` ends in `/v1`. Each piece of an answer must come within `timeout_seconds`."""

    def __init__(self, url: str, key: str | None, model: str, timeout_seconds: float) -> None:
        self._model = model
        self._key = key
        self._metrics = url.rstrip("/").removesuffix("/v1") + "/metrics"
        self._http, self._probe = (
            httpx.AsyncClient(
                base_url=url.rstrip("/") + "/",
                headers={"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {key}"} if key else {}),
                timeout=httpx.Timeout(timeout_seconds, connect=10),
                limits=httpx.Limits(max_connections=connections),
            )
            for connections in (CALLS, 1)
        )

    async def version(self) -> str:
        """The `Server` header. Raises EngineFailed if the server does not offer the model."""
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
        return str(answer.headers.get("server", "unknown"))[:100]

    async def chat(self, request: ChatRequest, on_text: OnText) -> StreamedAnswer:
        """Stream one completion; cancelling closes the connection. Raises EngineFailed, InputTooLarge."""
        try:
            return await self._chat(request, on_text)
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

    async def _chat(self, request: ChatRequest, on_text: OnText) -> StreamedAnswer:
        body = request.body(self._model)
        async with self._http.stream("POST", "chat/completions", json=body) as response:
            if not response.is_success:
                refusal = self._without_key(await _first_bytes(response, LONGEST_REFUSAL_BYTES))
                reply = parse_error_body(refusal)
                raise error_of_refusal(response.status_code, reply, asked_to_wait(response.headers))
            answer = StreamedAnswer(on_text)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None) as limit:
                    await _read(response, answer, limit)
        return answer

    def _without_key(self, body: bytes) -> bytes:
        return body.replace(self._key.encode(), b"[key]") if self._key else body

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

    async def running_sequences(self) -> int | None:
        """Sequences that the server generates now, for all clients; None if it has no such metric."""
        try:
            async with self._http.stream("GET", self._metrics) as response:
                page = await _first_bytes(response, LONGEST_METRICS_BYTES) if response.is_success else b""
            counts = [float(count) for count in RUNNING.findall(page)]
            return int(sum(counts)) if counts else None
        except (httpx.HTTPError, httpx.StreamError, ValueError, OverflowError):
            return None

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


async def _first_bytes(response: httpx.Response, max_bytes: int) -> bytes:
    """The first bytes of a response; that it breaks off or takes long is no further error."""
    body = b""
    with contextlib.suppress(httpx.HTTPError, TimeoutError):
        async with (
            asyncio.timeout(AFTER_FINISH_SECONDS),
            contextlib.aclosing(chunks_of(response)) as parts,
        ):
            async for part in parts:
                body += part
                if len(body) > max_bytes:
                    break
    return body[:max_bytes]


def _offered(answer: httpx.Response) -> list[str] | None:
    """The models that the server lists; None if the response is no list."""
    try:
        return [str(model["id"]) for model in answer.json()["data"]] if answer.is_success else None
    except MALFORMED:
        return None


def _kind(error: Exception) -> str:
    return type(error).__name__
