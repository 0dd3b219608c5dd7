"""Any body is answered soon, in bounded memory, and with a bounded list of errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import psutil
import pytest
from pydantic import TypeAdapter

from api.body import MOST_CONTAINERS, MOST_VALUES, parse, read
from api.problems import MOST_ERRORS, Problem
from tests.stack.processes import Stack, day
from tests.stack.yardstick import best_on_reference
from til.request import TilRequest

LIMIT = 4 * 1024 * 1024 - 1000
JSON = {"content-type": "application/json"}
PATCH = {"commit_message": "m", "patch": "@@ -1 +1 @@\n-a\n+b"}


def repeated(piece: str, times: int | None = None, before: str = "[", after: str = "]") -> bytes:
    """A list of as many `piece`s as fit into a body."""
    return f"{before}{','.join([piece] * (times or LIMIT // (len(piece) + 1)))}{after}".encode()


def members(value: str, times: int) -> bytes:
    return ("{" + ",".join(f'"{number:x}":{value}' for number in range(times)) + "}").encode()


def within(field: str, value: bytes) -> bytes:
    """A request that is valid but for this field."""
    return json.dumps(day(**{field: "@@"})).encode().replace(b'"@@"', value)


def many_patches(files: int, last: dict[str, Any] | None = None) -> bytes:
    found = [{"filepath": f"{number}.py", "patches": [PATCH] * 990} for number in range(files)]
    return json.dumps(day(files=found + ([last] if last else []))).encode()


HOSTILE = {
    "lists": repeated("[]"),
    "as many lists as may be": repeated("[]", MOST_CONTAINERS - 2),
    "objects as files": within("files", repeated("{}")),
    "as many objects as may be": within("files", repeated("{}", MOST_CONTAINERS - 10)),
    "files without patches": within("files", repeated('{"filepath":"a","patches":[]}', 40_000)),
    "empty patches": within("files", b'[{"filepath":"a","patches":' + repeated("{}", 90_000) + b"}]"),
    "the last patch is wrong": many_patches(70, {"filepath": "a", "patches": [PATCH, {"patch": 1}]}),
    "numbers": repeated("0"),
    "as many numbers as may be": repeated("1e5", MOST_VALUES - 2),
    "long numbers": repeated("9" * 4299),
    "one number": b"9" * LIMIT,
    "one fraction": b"0." + b"1" * LIMIT,
    "one exponent": b"1e" + b"9" * LIMIT,
    "beyond a double": within("priority", b"1e999"),
    "not a number": within("options", b'{"temperature": NaN}'),
    "infinity": within("priority", b"-Infinity"),
    "empty texts": repeated('""'),
    "quotes": b'"' * LIMIT,
    "escaped quotes": repeated('"\\""'),
    "one text of backslashes": b'"' + b"\\\\" * (LIMIT // 2) + b'"',
    "unknown fields": members("0", 340_000),
    "more unknown fields": members("0", 380_000),
    "few unknown fields": within("options", members("0", 60)),
    "metadata": within("metadata", members('"\\ud800"', 200_000)),
    "equal names": repeated('"a":1', MOST_VALUES - 2, "{", "}"),
    "one long name": within("metadata", b'{"' + b"k" * (LIMIT - 1000) + b'":1}'),
    "events": within("webhook", b'{"url":"u","events":' + repeated('"x"', 300_000) + b"}"),
    "deep lists": b"[" * LIMIT,
    "deep objects": b'{"a":' * (LIMIT // 5),
    "deep, but few": b"[" * 90_000,
    "closed and deep": b"[" * 900 + b"]" * 900,
    "a long date": within("date", b'"' + b"9" * (LIMIT - 1000) + b'"'),
    "a long language": within("language", b'"en' + b"-aa" * 1_000_000 + b'"'),
    "nothing": b"null",
    "half": b'{"a":',
}
UNDECODABLE = {
    "latin-1": b'{"a":"\xe9"}',
    "half a pair": b'"\xed\xa0\x80"',
    "UTF-16": '{"a":1}'.encode("utf-16"),
}


def test_any_body_is_answered_soon_and_in_bounded_memory(stack: Stack) -> None:
    api = psutil.Process(stack.api().popen.pid)
    rss, wrong = api.memory_info().rss, {}
    with stack.client() as client:
        for name, body in HOSTILE.items():
            before = sum(api.cpu_times()[:2])
            answer = client.post("/v1/til", content=body, headers=JSON)
            seconds = sum(api.cpu_times()[:2]) - before
            told = 0 < len(answer.json().get("errors", [])) <= MOST_ERRORS and len(answer.content) < 8192
            if (answer.status_code, answer.json()["code"], told) != (
                422,
                "invalid_request",
                True,
            ) or seconds > 2:
                wrong[name] = (answer.status_code, answer.text[:300], seconds)
        assert client.get("/v1/jobs").json()["jobs"] == []
    assert wrong == {}
    assert api.memory_info().rss - rss < 200 * 2**20


def test_a_body_that_is_not_utf_8_is_a_bad_request(client: httpx.Client) -> None:
    for body in UNDECODABLE.values():
        answer = client.post("/v1/til", content=body, headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_a_body_of_another_type_is_refused_in_words(client: httpx.Client) -> None:
    body = json.dumps(day()).encode()
    codes = {}
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "nonsense", ""):
        answer = client.post("/v1/til", content=body, headers={"content-type": kind})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, ""), kind
        assert "application/json" in answer.text
    for kind in ("application/json", "Application/JSON; charset=utf-8", "application/vnd.til+json"):
        codes[kind] = client.post("/v1/til", content=body, headers={"content-type": kind}).status_code
    assert set(codes.values()) == {202}


def test_every_route_with_a_body_reads_it_in_the_same_way(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    with_body = [
        (method, path) for path, item in paths.items() for method in item if "requestBody" in item[method]
    ]
    assert len(with_body) >= 5
    for method, path in with_body:
        place = path.replace("{job_id}", "01966c3e-5f3a-7cc1-9d55-2f6f1c1f0a11")
        answer = client.request(method, place, content=HOSTILE["lists"], headers=JSON)
        assert (answer.status_code, "has more than" in answer.text) == (422, True), path


def test_a_day_of_seventy_thousand_patches_is_taken(client: httpx.Client) -> None:
    answer = client.post("/v1/til", content=many_patches(74), headers=JSON)
    assert answer.status_code == 202, answer.text


def test_code_full_of_brackets_and_quotes_is_taken() -> None:
    code = 'x = {["a\\\\b\\"", 1], {}, "}{,"}\n' * 100_000
    body = json.dumps(day(files=[{"filepath": "a", "latest_code": code, "patches": [PATCH]}])).encode()
    assert body.count(b"{") > MOST_CONTAINERS
    assert parse(body)["files"][0]["latest_code"] == code


@pytest.mark.parametrize("name", ["as many lists as may be", "the last patch is wrong", "unknown fields"])
def test_reading_any_body_costs_less_than_a_second_of_cpu(name: str) -> None:
    assert best_on_reference(refused(HOSTILE[name]), rounds=2) < 1000


def refused(body: bytes) -> Callable[[], None]:
    def work() -> None:
        with pytest.raises(Problem):
            read(TypeAdapter(TilRequest), body)

    return work


def test_of_many_errors_twenty_are_listed_and_all_are_counted(client: httpx.Client) -> None:
    problem = client.post("/v1/til", content=HOSTILE["few unknown fields"], headers=JSON).json()
    assert len(problem["errors"]) == MOST_ERRORS
    assert "60 errors" in problem["detail"]
