"""Answers of OpenAI-compatible servers that are not ours, and what each of them is."""

from __future__ import annotations

import json
from typing import Any

from tests.worker.test_openai import OK, event
from til.post import SECTIONS
from worker.engines import AnswerWithheld, EngineBusy, EngineFailed, EngineRefused, InputTooLarge
from worker.writing.schema import InvalidOutput

POINT = {"text": "It turns.\u2028Again.", "sources": ["src/mill.py"]}
VALUE = {"title": "T", "keywords": ["k"]} | {name: [POINT] for name in SECTIONS}
TEXT = json.dumps(VALUE, ensure_ascii=False)
DONE = b"data: [DONE]\n\n"
STOP = event(None, "stop") + DONE


def chunk(**choice: Any) -> bytes:
    return data({"choices": [{"index": 0} | choice]})


def data(value: Any) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


def lines(value: bytes) -> bytes:
    """The same events, each over several lines of data."""
    return value.replace(b'", "', b'",\ndata: "').replace(b"{", b"{\ndata: ")


def document(**choice: Any) -> bytes:
    return OK + json.dumps({"choices": [{"index": 0, "finish_reason": "stop"} | choice]}).encode()


def refusal(status: int, error: Any, *headers: str) -> bytes:
    body = json.dumps({"error": error}).encode()
    head = [f"HTTP/1.1 {status} No", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


POSTS: dict[str, bytes] = {
    "plain": event(TEXT) + STOP,
    "error null": chunk(delta={"content": TEXT}, error=None) + data({"error": None, "choices": None}) + STOP,
    "heartbeats": b": ping\n\ndata:\n\ndata: null\n\nevent: ping\n\n" + event(TEXT) + b"data: \n\n" + STOP,
    "events over several lines": lines(b'data: {"choices": [{"index": 0, "delta": {"content": ""}}]}\n\n')
    + event(TEXT) + STOP,
    "several events in one": event(TEXT).replace(b"\n\n", b"\n") + STOP,
    "other line ends": (event(TEXT) + STOP).replace(b"\n", b"\r\n"),
    "a byte order mark": b"\xef\xbb\xbf" + event(TEXT) + STOP,
    "parts": chunk(delta={"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]})
    + chunk(delta={"content": [{"type": "text", "text": TEXT}, {"type": ["x"], "text": "no"}]}) + STOP,
    "nothing in places": chunk(delta=None) + data({"choices": []}) + data({"choices": None}) + data([])
    + data(7) + event(TEXT) + chunk(delta={}, finish_reason=None) + STOP,
    "thoughts beside": chunk(delta={"role": "assistant", "content": None, "reasoning_content": "{hm"})
    + chunk(delta={"reasoning": "hm"}) + event(TEXT) + STOP,
    "no finish but an end": event(TEXT) + DONE,
    "a finish but no end": event(TEXT) + event(None, "stop"),
    "another word for stop": event(TEXT) + event(None, "eos_token"),
    "cut after the last value": event(TEXT[:-1]) + event(None, "MAX_TOKENS"),
    "an empty tool call": chunk(delta={"content": TEXT, "tool_calls": []}, finish_reason="tool_calls"),
    "two choices": data({"choices": [{"index": 1, "delta": {"content": "x"}}]}) + event(TEXT) + STOP,
    "the whole again at the end": event(TEXT)
    + chunk(delta={}, message={"content": TEXT}, finish_reason="stop"),
    "a legacy text": chunk(text=TEXT) + STOP,
    "wrong bytes": b": \xff\xfe\n\n" + event(TEXT) + STOP,
    "half characters": chunk(delta={"content": TEXT[:12] + "\ud83d"})
    + chunk(delta={"content": "\ude00" + TEXT[12:]}) + STOP,
}  # fmt: skip
WHOLE: dict[str, bytes] = {
    "a document": document(message={"role": "assistant", "content": TEXT}),
    "a document with parts": document(message={"content": [{"type": "text", "text": TEXT}]}),
    "a list of documents": OK + b"[" + document(message={"content": TEXT})[len(OK) :] + b"]",
}
USAGES: list[Any] = [
    None, {}, [], "x", -1,
    {"prompt_tokens": -5, "completion_tokens": None, "prompt_tokens_details": None},
    {"prompt_tokens": 9.0, "completion_tokens": "12", "prompt_tokens_details": []},
    {"prompt_tokens": [], "completion_tokens": {}, "prompt_tokens_details": {"cached_tokens": None}},
    {"prompt_tokens": 1e400, "completion_tokens": float("nan"), "prompt_tokens_details": "x"},
    {"prompt_tokens": 10**30, "completion_tokens": True, "prompt_tokens_details": {"cached_tokens": "-3"}},
    {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 1000}},
]  # fmt: skip
FAILURES: list[tuple[str, bytes, type[Exception]]] = [
    ("an error in the stream", OK + event("{") + data({"error": "oops"}), EngineFailed),
    ("an event of that type", OK + b'event: error\ndata: {"message": "x"}\n\n', EngineFailed),
    ("busy in the stream", OK + data({"error": {"code": 429, "message": "slow"}}), EngineBusy),
    ("busy in words", OK + data({"error": {"type": "rate_limit_exceeded"}}), EngineBusy),
    ("an error as a document", OK + b'{"error": {"code": "400", "message": "x"}}', EngineRefused),
    ("a page", OK + b"<!doctype html><p>hello", EngineFailed),
    ("no JSON", OK + b"data: {nonsense\n\n", EngineFailed),
    ("nothing", OK, EngineFailed),
    ("deep", OK + b"data: " + b"[" * 100_000 + b"\n\n", EngineFailed),
    ("deep as a document", OK + b"[" * 100_000, EngineFailed),
    ("withheld", OK + event("{") + event(None, "content_filter") + DONE, AnswerWithheld),
    ("refused by the model", OK + chunk(delta={"refusal": "I can't."}) + STOP, AnswerWithheld),
    ("no post", OK + event("[" * 100_000) + STOP, InvalidOutput),
    ("only thoughts", OK + chunk(delta={"reasoning": "hm"}) + event(None, "length"), InvalidOutput),
    ("another document", OK + b'{"hello": 1}', InvalidOutput),
    ("an endless line", OK + b"data: " + b"x" * 5_000_000, EngineFailed),
    ("a redirect", refusal(307, {}, "location: http://10.0.0.9/v1"), EngineRefused),
    ("400", refusal(400, {"message": "bad"}), EngineRefused),
    ("401", refusal(401, {"message": "no"}), EngineRefused),
    ("403", refusal(403, "no"), EngineRefused),
    ("404", refusal(404, {"message": "no", "type": "invalid_request_error"}), EngineRefused),
    ("422", refusal(422, None), EngineRefused),
    ("413", refusal(413, None), InputTooLarge),
    ("too long", refusal(400, {"code": "context_length_exceeded", "message": "x"}), InputTooLarge),
    ("too long in words", refusal(400, {"message": "This model's maximum context length is 4096 tokens."}),
     InputTooLarge),
    ("too long for llama.cpp", refusal(500, {"type": "exceed_context_size_error"}), InputTooLarge),
    ("408", refusal(408, None), EngineFailed),
    ("409", refusal(409, None), EngineFailed),
    ("425", refusal(425, None), EngineFailed),
    ("500", refusal(500, None), EngineFailed),
    ("502", refusal(502, None), EngineFailed),
    ("504", refusal(504, None), EngineFailed),
    ("429", refusal(429, {"message": "slow down"}, "retry-after: 7"), EngineBusy),
    ("503", refusal(503, {}), EngineBusy),
    ("529", refusal(529, {}), EngineBusy),
]  # fmt: skip
