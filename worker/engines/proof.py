"""What an OpenAI-compatible server really does: whether it keeps to schemas, aborts, and honours a seed.

Servers accept `response_format` and ignore it, go on with what nobody waits for, or draw anew for the same
seed, all with status 200. So they are tried, with a few short calls.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable
from enum import Enum, auto
from typing import Any, TypeVar

from prometheus_client import Gauge

from worker.engines import EngineFailed, EngineRefused, InputTooLarge
from worker.engines.answer import CUT, StreamedAnswer
from worker.engines.openai_server import OpenAIServer
from worker.engines.question import Asking, Question

CALL_SECONDS = 20.0
"""For each call of a proof; what is not answered by then proves nothing."""
SERVED_SECONDS = 10.0
"""After an abort the next call must have begun by then."""
FREED_SECONDS = 2.0
"""After that call the server's count of running sequences must have fallen by then."""
LOOK_SECONDS = 0.05
SCHEMA_TOKENS, LONG_TOKENS, DRAWN_TOKENS = 512, 2048, 64
PROOF = Gauge("til_engine_proof", "1 where the model's server was seen to do it, 0 where not.", ["what"])
WHAT = ("schema", "abort", "seed")
T = TypeVar("T")


class Seen(Enum):
    """What became of a call that asks for a schema."""

    ENFORCED = auto()
    IGNORED = auto()
    REFUSED = auto()
    UNKNOWN = auto()


async def how_to_ask(server: OpenAIServer) -> tuple[Asking | None, bool | None]:
    """How the server is best asked for a schema, and whether it then enforces it; None: it could not be told.

    A server that refuses `response_format` is asked in words, unless the call of a tool is enforced.
    """
    seen = {}
    for asking in (Asking.FORMAT, Asking.TOOL):
        seen[asking] = await _try_schema(server, asking)
        if seen[asking] is Seen.ENFORCED:
            return asking, True
    schema = None if Seen.UNKNOWN in seen.values() else False
    by_format = {Seen.REFUSED: Asking.WORDS, Seen.IGNORED: Asking.FORMAT}
    return by_format.get(seen[Asking.FORMAT]), schema


async def _try_schema(server: OpenAIServer, asking: Asking) -> Seen:
    """Ask for JSON that the schema does not allow: only a server that enforces it answers otherwise."""
    allowed, forbidden = ([secrets.token_hex(4) for _ in range(2)] for _ in range(2))
    wanted = {"title": forbidden[0], "points": [{"text": "probe", "sources": [forbidden[1]]}]}
    question = Question(
        "You repeat JSON exactly as it is given to you, and write nothing else.",
        f"Repeat this JSON object: {json.dumps(wanted)}",
        temperature=0.0,
        seed=1,
        max_tokens=SCHEMA_TOKENS,
        schema=schema_of(allowed),
        asking=asking,
    )
    try:
        answer = await _asked(server, question)
    except EngineRefused as error:
        return Seen.UNKNOWN if error.affects_all else Seen.REFUSED
    if answer is None or (answer.reason in CUT and answer.text.lstrip()[:1] in ("", "{")):
        return Seen.UNKNOWN
    return Seen.ENFORCED if keeps_to(schema_of(allowed), answer.text) else Seen.IGNORED


def schema_of(allowed: list[str]) -> dict[str, Any]:
    """A schema that uses all that the schema of a post uses; a title that a model would not write."""
    text = {"type": "string", "minLength": 1, "maxLength": 12}
    source = {"$ref": "#/$defs/source"}
    sources = {"type": "array", "items": source, "minItems": 2, "maxItems": 2}
    return _object(
        title={"type": "string", "minLength": 1, "maxLength": 4},
        points={"type": "array", "items": {"$ref": "#/$defs/point"}, "minItems": 2, "maxItems": 2},
    ) | {
        "$defs": {
            "point": _object(text=text, sources=sources),
            "source": {"type": "string", "enum": allowed},
        }
    }


def _object(**properties: Any) -> dict[str, Any]:
    names = list(properties)
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


def keeps_to(schema: dict[str, Any], text: str) -> bool:
    """Whether the text is JSON of the schema that `schema_of` has made."""
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


def _is_text(value: Any, most: int) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= most


async def honours_seed(server: OpenAIServer) -> bool | None:
    """Whether two equal calls that draw at random are answered alike."""
    question = Question(
        "You draw random numbers.",
        "Write twenty random numbers between 0 and 999, separated by spaces, and nothing else.",
        temperature=1.0,
        seed=secrets.randbelow(2**31),
        max_tokens=DRAWN_TOKENS,
    )
    try:
        answers = [await _asked(server, question) for _ in range(2)]
    except EngineRefused:
        return None
    texts = [answer.text for answer in answers if answer is not None and answer.text]
    return texts[0] == texts[1] if len(texts) == 2 else None


async def frees_aborted(server: OpenAIServer) -> bool | None:
    """Whether a call that is broken off leaves its place to another; None where the server has no count.

    The count is of all callers, so where others are being served too it says nothing.
    """
    before = await _within(CALL_SECONDS, server.running())
    if before:
        return None
    begun = asyncio.Event()
    count = "Count from one to two thousand in words, one number a line, and leave none out."
    long = Question("You count.", count, 1.0, 1, LONG_TOKENS)
    calling = asyncio.create_task(server.ask(long, lambda *_: begun.set()))
    waiting = asyncio.create_task(begun.wait())
    try:
        await asyncio.wait([calling, waiting], timeout=CALL_SECONDS, return_when="FIRST_COMPLETED")
        was_running = not calling.done() and begun.is_set()
        during = await _within(CALL_SECONDS, server.running())
    finally:
        calling.cancel()
        waiting.cancel()
        await asyncio.gather(calling, waiting, return_exceptions=True)
    if not was_running:
        return None
    if not await _served(server):
        return False
    return await _falls(server) if before == 0 and during else None


async def _served(server: OpenAIServer) -> bool:
    """Whether a new call begins to be answered soon; one that fails says nothing of slots."""
    question = Question("You answer in one word.", "Say yes.", 0.0, 1, 4)
    try:
        return await _within(SERVED_SECONDS, server.ask(question, _ignore)) is not None
    except (EngineFailed, InputTooLarge):
        return True


async def _falls(server: OpenAIServer) -> bool:
    """Whether the count of running sequences falls to none."""
    until = time.monotonic() + FREED_SECONDS
    while time.monotonic() < until:
        if await _within(FREED_SECONDS, server.running()) == 0:
            return True
        await asyncio.sleep(LOOK_SECONDS)
    return False


async def _asked(server: OpenAIServer, question: Question) -> StreamedAnswer | None:
    """The answer, if there is a whole one. Raises EngineRefused."""
    try:
        answer = await _within(CALL_SECONDS, server.ask(question, _ignore))
    except EngineRefused:
        raise
    except (EngineFailed, InputTooLarge):
        return None
    return answer if answer is not None and answer.ended else None


async def _within(seconds: float, work: Awaitable[T]) -> T | None:
    """What it gives, None when it takes longer."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        return None


def tell(**proved: bool | None) -> None:
    """To Prometheus; what could not be told has no series."""
    for what, value in proved.items():
        if value is None:
            PROOF.remove(what)
        else:
            PROOF.labels(what).set(value)


def _ignore(_: str, __: int) -> None:
    """A probe's text is of no interest while it comes."""
