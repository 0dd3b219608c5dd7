"""The OpenAPI document names every status that an operation answers, and every error is a problem+json."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from jsonschema import validate

from tests.stack.processes import Stack, day
from tests.stack.raw import connection, head, read_head

ID = "01966c3e-5f3a-7cc1-9d55-2f6f1c1f0a11"
PROBLEM_JSON = "application/problem+json"
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
OPTIONS = (
    "--exclude-path-regex /events$ --phases examples,coverage,fuzzing --max-examples 5 --max-time 10"
    " --generation-deterministic --suppress-health-check all --no-color --checks not_a_server_error,"
    "status_code_conformance,content_type_conformance,response_schema_conformance,ignored_auth"
)
"""Of schemathesis. The event stream never ends by itself."""


class Operation(NamedTuple):
    """One method of one path of the document."""

    method: str
    path: str
    says: dict[str, Any]

    @property
    def url(self) -> str:
        """With ids of nothing."""
        return self.path.replace("{job_id}", ID).replace("{delivery_id}", ID)

    @property
    def has_body(self) -> bool:
        """Whether a body is documented."""
        return "requestBody" in self.says


@pytest.fixture
def document(client: httpx.Client) -> dict[str, Any]:
    """The document of a running api."""
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


@pytest.fixture
def operations(document: dict[str, Any]) -> list[Operation]:
    """All that need a key."""
    return [
        Operation(method, path, says)
        for path, item in document["paths"].items()
        for method, says in item.items()
        if path.startswith("/v1/")
    ]


def test_every_operation_documents_its_problems(
    operations: list[Operation], document: dict[str, Any]
) -> None:
    assert len(operations) >= 14
    for one in operations:
        expected = {"401", "403", "413", "503"}
        expected |= {"422"} if one.has_body or one.says.get("parameters") else set()
        expected |= {"400", "408"} if one.has_body else set()
        expected |= {"404"} if "{" in one.path else set()
        assert expected <= one.says["responses"].keys(), one.path
        for status, response in one.says["responses"].items():
            if status >= "400":
                assert response["content"].keys() == {PROBLEM_JSON}, (one.path, status)
                assert response["content"][PROBLEM_JSON]["schema"] == {"$ref": "#/components/schemas/Problem"}
                assert response["description"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


def wrong(one: Operation, client: httpx.Client) -> Iterator[httpx.Response]:
    """What the operation answers to requests that are wrong in each way that it has."""
    yield client.request(one.method, one.url, headers={"authorization": "Bearer til_wrong"})
    if "{" in one.path:
        yield client.request(one.method, one.url)
        yield client.request(one.method, one.url.replace(ID, "not-an-id"))
    for parameter in one.says.get("parameters", ()):
        if parameter["in"] == "query":
            yield client.request(one.method, f"{one.url}?{parameter['name']}=%00")
    for body in (b"\xff", b"{", b"[1]", b'{"unknown": 1}') if one.has_body else ():
        yield client.request(one.method, one.url, content=body, headers={"content-type": "application/json"})


def test_wrong_requests_are_answered_as_documented(
    operations: list[Operation], document: dict[str, Any], client: httpx.Client
) -> None:
    schema = document["components"]["schemas"]["Problem"]
    for one in operations:
        seen = set()
        for answer in wrong(one, client):
            seen.add(str(answer.status_code))
            assert answer.headers["content-type"] == PROBLEM_JSON, (one.path, answer.text)
            validate(answer.json(), schema)
            assert answer.json()["status"] == answer.status_code
        assert seen <= one.says["responses"].keys(), one.path
        assert {"401"} | ({"400", "422"} if one.has_body else set()) <= seen, one.path


def test_a_body_that_is_too_large_is_413_wherever_it_is_sent(
    stack: Stack, operations: list[Operation]
) -> None:
    for one in operations:
        sent = head(one.method.upper(), one.url, stack.keys["key"], Content_Length=str(5 * 2**20))
        with connection(stack, sent) as made:
            answer = read_head(made)
        assert answer.startswith("HTTP/1.1 413"), one.path
        assert PROBLEM_JSON in answer


def test_a_job_that_has_ended_is_not_cancelled(client: httpx.Client, operations: list[Operation]) -> None:
    job = client.post("/v1/til", json=day()).json()["id"]
    codes = [client.post(f"/v1/jobs/{job}/cancel").status_code for _ in range(2)]
    (cancel,) = (one for one in operations if one.path.endswith("/cancel"))
    assert codes == [200, 409]
    assert {"200", "202", "409"} <= cancel.says["responses"].keys()


def test_generated_inputs_are_answered_as_documented(stack: Stack, tmp_path: Path) -> None:
    api = stack.api()
    key = f"Authorization: Bearer {stack.keys['key']}"
    command = [str(SCHEMATHESIS), "run", f"{stack.api_url}/openapi.json", "-H", key, *OPTIONS.split()]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-500:]
    assert "request_crashed" not in api.log.read_text()
