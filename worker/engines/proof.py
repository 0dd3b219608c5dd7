"""The proof: a few short calls that show what an OpenAI-compatible server really does.

Some servers accept `response_format` and ignore it, go on computing calls that were cancelled, or give
different answers for the same seed, all with status 200. Each result is True, False, or None if the calls did
not show it.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable
from enum import Enum, auto
from typing import Any, TypeVar

from worker.engines import EngineFailed, EngineRefused, InputTooLarge
from worker.engines.answer import CUT, StreamedAnswer
from worker.engines.chat_request import ChatRequest, SchemaMode, object_schema
from worker.engines.openai_server import OpenAIServer

CALL_SECONDS = 20.0
"""How long each call of the proof may take; a longer one shows nothing."""
NEXT_CALL_SECONDS = 10.0
"""After an aborted call, the next one must have been answered by then."""
COUNT_SECONDS = 2.0
"""After that, the server's count of running sequences must have fallen to 0 by then."""
POLL_SECONDS = 0.05
SCHEMA_TOKENS, SEED_TOKENS, LONG_TOKENS = 512, 64, 2048
CHECKS = ("schema", "seed", "abort")
T = TypeVar("T")


class SchemaSupport(Enum):
    """How a server treats a schema that is sent in one mode."""

    ENFORCED = auto()
    IGNORED = auto()
    REFUSED = auto()
    UNKNOWN = auto()


async def choose_schema_mode(server: OpenAIServer) -> tuple[SchemaMode | None, bool | None]:
    """The mode to send schemas in, and whether the server enforces them. None: the calls did not show it.

    The first mode that is enforced; if none is, `response_format` unless the server refuses it.
    """
    support = {}
    for mode in (SchemaMode.RESPONSE_FORMAT, SchemaMode.TOOL_CHOICE):
        support[mode] = await _schema_support(server, mode)
        if support[mode] is SchemaSupport.ENFORCED:
            return mode, True
    enforced = None if SchemaSupport.UNKNOWN in support.values() else False
    fallbacks = {
        SchemaSupport.REFUSED: SchemaMode.PROMPT_ONLY,
        SchemaSupport.IGNORED: SchemaMode.RESPONSE_FORMAT,
    }
    return fallbacks.get(support[SchemaMode.RESPONSE_FORMAT]), enforced


async def _schema_support(server: OpenAIServer, mode: SchemaMode) -> SchemaSupport:
    """Demand JSON that the schema forbids: only a server that enforces the schema answers with other JSON."""
    allowed, forbidden = ([secrets.token_hex(4) for _ in range(2)] for _ in range(2))
    schema = probe_schema(allowed)
    demanded = {"title": forbidden[0], "points": [{"text": "probe", "sources": [forbidden[1]]}]}
    request = ChatRequest(
        "You repeat JSON exactly as it is given to you, and write nothing else.",
        f"Repeat this JSON object: {json.dumps(demanded)}",
        temperature=0.0,
        seed=1,
        max_tokens=SCHEMA_TOKENS,
        schema=schema,
        schema_mode=mode,
    )
    try:
        answer = await _whole_answer(server, request)
    except EngineRefused as error:
        return SchemaSupport.UNKNOWN if error.affects_all else SchemaSupport.REFUSED
    if answer is None or (answer.reason in CUT and answer.text.lstrip()[:1] in ("", "{")):
        return SchemaSupport.UNKNOWN
    return SchemaSupport.ENFORCED if satisfies(schema, answer.text) else SchemaSupport.IGNORED


def probe_schema(sources: list[str]) -> dict[str, Any]:
    """A schema with all keywords that the schemas of posts have. `sources` are the only ones it allows."""
    text = {"type": "string", "minLength": 1, "maxLength": 12}
    source = {"$ref": "#/$defs/source"}
    of_point = {"type": "array", "items": source, "minItems": 2, "maxItems": 2}
    return object_schema(
        title={"type": "string", "minLength": 1, "maxLength": 4},
        points={"type": "array", "items": {"$ref": "#/$defs/point"}, "minItems": 2, "maxItems": 2},
    ) | {
        "$defs": {
            "point": object_schema(text=text, sources=of_point),
            "source": {"type": "string", "enum": sources},
        }
    }


def satisfies(schema: dict[str, Any], text: str) -> bool:
    """Whether the text is JSON that this schema, made by `probe_schema`, allows."""
    try:
        value = json.loads(text, strict=False)
        allowed = set(schema["$defs"]["source"]["enum"])
        return (
            value.keys() == {"title", "points"}
            and _is_text(value["title"], 4)
            and len(value["points"]) == 2
            and all(point.keys() == {"text", "sources"} for point in value["points"])
            and all(_is_text(point["text"], 12) for point in value["points"])
            and all(len(point["sources"]) == 2 for point in value["points"])
            and allowed.issuperset(source for point in value["points"] for source in point["sources"])
        )
    except (ValueError, TypeError, AttributeError, RecursionError):
        return False


def _is_text(value: Any, max_length: int) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= max_length


async def honours_seed(server: OpenAIServer) -> bool | None:
    """Whether two equal calls for random numbers get the same answer."""
    request = ChatRequest(
        "You draw random numbers.",
        "Write twenty random numbers between 0 and 999, separated by spaces, and nothing else.",
        temperature=1.0,
        seed=secrets.randbelow(2**31),
        max_tokens=SEED_TOKENS,
    )
    try:
        answers = [await _whole_answer(server, request) for _ in range(2)]
    except EngineRefused:
        return None
    texts = [answer.text for answer in answers if answer is not None and answer.text]
    return texts[0] == texts[1] if len(texts) == 2 else None


async def stops_aborted_calls(server: OpenAIServer) -> bool | None:
    """Whether the server stops a call whose connection is closed, and then takes the next one.

    True needs the server's count of running sequences. It counts all clients, so None if others are served.
    """
    before = await _with_timeout(CALL_SECONDS, server.running_sequences())
    if before:
        return None
    started = asyncio.Event()
    count = "Count from one to two thousand in words, one number a line, and leave none out."
    long_request = ChatRequest("You count.", count, 1.0, 1, LONG_TOKENS)
    call = asyncio.create_task(server.chat(long_request, lambda *_: started.set()))
    waiting = asyncio.create_task(started.wait())
    try:
        await asyncio.wait([call, waiting], timeout=CALL_SECONDS, return_when="FIRST_COMPLETED")
        was_running = not call.done() and started.is_set()
        during = await _with_timeout(CALL_SECONDS, server.running_sequences())
    finally:
        call.cancel()
        waiting.cancel()
        await asyncio.gather(call, waiting, return_exceptions=True)
    if not was_running:
        return None
    if not await _takes_next_call(server):
        return False
    return await _count_falls_to_zero(server) if before == 0 and during else None


async def _takes_next_call(server: OpenAIServer) -> bool:
    """Whether a short call is answered in time; an error counts as an answer, since it is not about slots."""
    request = ChatRequest("You answer in one word.", "Say yes.", 0.0, 1, 4)
    try:
        return await _with_timeout(NEXT_CALL_SECONDS, server.chat(request, _discard)) is not None
    except (EngineFailed, InputTooLarge):
        return True


async def _count_falls_to_zero(server: OpenAIServer) -> bool:
    until = time.monotonic() + COUNT_SECONDS
    while time.monotonic() < until:
        if await _with_timeout(COUNT_SECONDS, server.running_sequences()) == 0:
            return True
        await asyncio.sleep(POLL_SECONDS)
    return False


async def _whole_answer(server: OpenAIServer, request: ChatRequest) -> StreamedAnswer | None:
    """The answer; None if the call failed, took too long or broke off. Raises EngineRefused."""
    try:
        answer = await _with_timeout(CALL_SECONDS, server.chat(request, _discard))
    except EngineRefused:
        raise
    except (EngineFailed, InputTooLarge):
        return None
    return answer if answer is not None and answer.ended else None


async def _with_timeout(seconds: float, work: Awaitable[T]) -> T | None:
    """The result; None if it takes longer."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        return None


def _discard(_: str, __: int) -> None:
    """The text of these calls is read when they have ended."""
