"""NUL and lone surrogates in any text of a request are a 422 with a pointer, never a 500."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import httpx

from tests.stack.processes import day

BAD = ("a\x00b", "\ud83d", "x\udfff y")
REQUEST = day(
    webhook={"url": "https://example.com/hooks", "events": ["succeeded"]},
    model="default",
    metadata={"name": "value"},
    options={"temperature": 0.5},
)
REQUEST["files"][0]["patches"].append({"commit_message": "m", "patch": "p"})


def texts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each text of a JSON value is."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict | list):
        for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from texts(inner, (*path, step))


def with_text(path: tuple[Any, ...], text: str) -> Any:
    body = copy.deepcopy(REQUEST)
    place = body
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = text
    return body


def send(client: httpx.Client, body: Any, path: str = "/v1/til") -> httpx.Response:
    return client.post(path, content=json.dumps(body).encode(), headers={"content-type": "application/json"})


def test_every_text_of_a_body_is_refused_with_its_pointer(client: httpx.Client) -> None:
    places = list(texts(REQUEST))
    assert {"patch", "latest_code", "commit_message", "filepath", "sha", "url"} <= {
        path[-1] for path in places
    }
    assert send(client, REQUEST).status_code == 202
    for path in places:
        for bad in BAD:
            answer = send(client, with_text(path, bad))
            pointers = [error["pointer"] for error in answer.json()["errors"]]
            assert (answer.status_code, pointers) == (422, ["/" + "/".join(map(str, path))])


def test_names_of_members_are_texts_too(client: httpx.Client) -> None:
    for bad in BAD:
        names_with(client, bad)


def names_with(client: httpx.Client, bad: str) -> None:
    for body in (day(**{bad: 1}), day(metadata={bad: "x"}), day(options={bad: 1})):
        answer = send(client, body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    for path, body in (
        ("/v1/webhook-endpoints/enable", {"url": f"https://example.com/{bad}"}),
        ("/v1/webhook-endpoints/enable", {"url": "https://example.com/", bad: 1}),
        ("/v1/webhook-secret/rotate", {bad: 1}),
        ("/v1/deliveries/resend", {"since": bad, "until": bad}),
        ("/v1/jobs/01966c3e-5f3a-7cc1-9d55-2f6f1c1f0a11/replay", {"with": bad}),
    ):
        assert send(client, body, path).status_code == 422


def test_a_character_beyond_the_first_plane_is_text_however_it_is_written(client: httpx.Client) -> None:
    for ensure_ascii in (True, False):
        body = json.dumps(day(repo="\U0001f980"), ensure_ascii=ensure_ascii).encode()
        answer = client.post("/v1/til", content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["repo"]) == (202, "\U0001f980")


def test_no_path_query_or_header_is_a_500(client: httpx.Client) -> None:
    nul = [
        f"/v1/jobs?{name}=a%00b"
        for name in ("repo", "username", "cursor", "status", "created_after", "limit")
    ]
    odd = [
        "/v1/jobs?cursor=%ED%A0%80",
        "/v1/jobs?cursor=" + "9" * 200,
        "/v1/jobs?limit=" + "9" * 5000,
        "/v1/jobs?created_after=" + "9" * 5000,
        "/v1/jobs/%00",
        "/v1/jobs/%ED%A0%80/history",
        "/v1/jobs/01966c3e-5f3a-7cc1-9d55-2f6f1c1f0a11%00",
    ]
    for path in nul + odd:
        answer = client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), path
        assert answer.json()["errors"][0]["pointer"].startswith("#")
    assert client.get("/v1/jobs?repo=%ED%A0%80").status_code == 200
    for name in ("Idempotency-Key", "Prefer", "X-Request-Id", "Content-Type"):
        for value in (b"\xe9", b"\xff" * 200, "wait=²³".encode(), b"wait=" + b"9" * 5000):
            answer = client.post("/v1/til", content=json.dumps(day()), headers=[(name.encode(), value)])
            assert answer.status_code < 500, (name, value)
