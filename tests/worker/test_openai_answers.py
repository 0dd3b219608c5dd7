"""Answers of other servers: each ends in a post or in one clear failure."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stack.processes import day
from tests.worker.engines import admitted, call_of
from tests.worker.foreign_answers import DONE, FAILURES, POSTS, TEXT, USAGES, WHOLE, data, refusal
from tests.worker.test_openai import KEY, OK, event, serving
from til.request import TilRequest
from worker.engines import EngineAway, EngineFailed, EngineRefused, InputTooLarge
from worker.engines.answer import StreamedAnswer
from worker.engines.events import ResponseReader
from worker.engines.openai import OpenAIEngine
from worker.engines.openai_server import MALFORMED
from worker.engines.outline.engine import OutlineEngine
from worker.slots.outcome import outcome_of_error
from worker.writing.schema import InvalidOutput, parse
from worker.writing.unwrap import candidates
from worker.writing.write import Generation, Post, write

REQUEST = TilRequest.model_validate(day())


async def post_of(answer: bytes) -> Post:
    """A server that is busy is not waited for."""

    async def say(writer: asyncio.StreamWriter, _: dict[str, Any]) -> None:
        writer.write(answer)

    async with serving(say) as url:
        engine = OpenAIEngine(url, KEY, "tiny", timeout_seconds=5)
        try:
            return await write(
                REQUEST, engine, Generation("a:1", 7, patient_until=0), admitted, lambda _: None
            )
        finally:
            await engine.close()


@pytest.mark.parametrize("name", [*POSTS, *WHOLE])
async def test_a_post_is_read_however_it_is_sent(name: str) -> None:
    post = await post_of(WHOLE[name] if name in WHOLE else OK + POSTS[name])
    assert [section.points[0].sources for section in post.result.sections] == [["src/mill.py"]] * 6
    assert post.result.sections[0].points[0].text.startswith("It turns.")
    assert post.provenance["schema"] == "validated"


@pytest.mark.parametrize("usage", USAGES, ids=str)
async def test_whatever_a_server_counts_the_usage_is_sound(usage: Any) -> None:
    post = await post_of(
        OK + event(TEXT) + event(None, "stop") + data({"choices": [], "usage": usage}) + DONE
    )
    counts = [post.usage[f"{kind}_tokens"] for kind in ("prompt", "cached", "completion")]
    assert all(isinstance(count, int) and 0 <= count <= 10**8 for count in counts)
    assert counts[1] <= counts[0]
    assert counts[0] > 0
    assert counts[2] > 0


@pytest.mark.parametrize(("name", "answer", "failure"), FAILURES, ids=[name for name, _, _ in FAILURES])
async def test_an_answer_that_is_no_post_is_one_clear_failure(
    name: str, answer: bytes, failure: type[Exception]
) -> None:
    assert name
    with pytest.raises(failure) as failed:
        await post_of(answer)
    assert type(failed.value) is failure
    assert "unexpectedly" not in str(getattr(outcome_of_error(failed.value), "message", ""))


async def test_the_reason_of_a_refused_call_has_no_addresses_and_keys() -> None:
    words = (
        f"Key {KEY} of org-abcdef1234 is wrong; see https://10.0.0.7:80/keys or llm.internal:8000, "
        "gpu-1.corp.example, 10.1.2.3, fe80::1, localhost or /srv/models/tiny "
        "for max_tokens=4 of messages[1]."
    )
    with pytest.raises(EngineRefused) as failed:
        await post_of(refusal(400, {"message": words}))
    told = str(failed.value)
    for hidden in (KEY, "org-", "10.0", "internal", "corp", "10.1", "fe80", "localhost", "srv", "8000"):
        assert hidden not in told
    assert "is wrong" in told
    assert "max_tokens=4 of messages[1]" in told
    assert (KEY in failed.value.said, "llm.internal:8000" in failed.value.said) == (False, True)


async def test_no_job_fails_for_a_key_that_the_server_refuses_everywhere() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(refusal(401, {"message": "no"}))
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    engine = OpenAIEngine(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", KEY, "tiny")
    async with server:
        with pytest.raises(EngineAway):
            await engine.generate(call_of(REQUEST, engine), lambda *_: None)
        assert not await engine.alive()
    with pytest.raises(EngineAway):  # Nobody listens any more.
        await engine.generate(call_of(REQUEST, engine), lambda *_: None)
    await engine.close()


NAMES = [
    "choices",
    "delta",
    "message",
    "content",
    "text",
    "type",
    "usage",
    "error",
    "code",
    "finish_reason",
    "index",
    "refusal",
    "title",
    "sources",
    "prompt_tokens",
    "completion_tokens",
    "prompt_tokens_details",
    "learned",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.lists(JSON | st.binary(max_size=20), max_size=5))
def test_any_bytes_are_a_post_or_one_failure(pieces: list[Any]) -> None:
    engine = OutlineEngine()
    reader, answer = ResponseReader(), StreamedAnswer(lambda *_: None)
    try:
        for piece in pieces:
            for value in reader.feed(piece if isinstance(piece, bytes) else data(piece)):
                answer.feed(value)
        for value in reader.end():
            answer.feed(value)
        answer.done = True
        written = answer.completion(call_of(REQUEST, engine))
    except (EngineFailed, InputTooLarge, *MALFORMED):
        return
    assert written.prompt_tokens >= written.cached_tokens >= 0
    for value in candidates(written.text, written.complete):
        with pytest.raises(InvalidOutput):
            parse(value, {})


@given(JSON)
def test_no_json_is_a_post_unless_it_is_one(value: Any) -> None:
    for whole in (True, False):
        for found in candidates(json.dumps(value), whole):
            with pytest.raises(InvalidOutput):
                parse(found, {})
