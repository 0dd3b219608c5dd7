"""Reading, listing and cancelling over real HTTP; the state of the process; the document of the API."""

from __future__ import annotations

import time
import uuid

import httpx
import pytest

from tests.stack.processes import Stack, day, until


def test_pages_are_newest_first_and_stable_while_jobs_arrive(client: httpx.Client) -> None:
    ids = [client.post("/v1/til", json=day(repo=f"r{n}")).json()["id"] for n in range(5)]
    first = client.get("/v1/jobs", params={"limit": 2}).json()
    client.post("/v1/til", json=day(repo="later"))
    second = client.get("/v1/jobs", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    third = client.get("/v1/jobs", params={"limit": 2, "cursor": second["next_cursor"]}).json()
    seen = [job["id"] for part in (first, second, third) for job in part["jobs"]]
    assert seen == ids[::-1]
    assert third["next_cursor"] is None


def test_a_list_is_filtered(client: httpx.Client) -> None:
    for repo, user in (("a/a", "ada"), ("b/b", "ada"), ("b/b", "bob")):
        client.post("/v1/til", json=day(repo=repo, username=user))

    def found(**wanted: str) -> int:
        return len(client.get("/v1/jobs", params=wanted).json()["jobs"])

    assert (found(repo="b/b"), found(username="ada"), found(repo="b/b", username="ada")) == (2, 2, 1)
    assert (found(status="queued"), found(status="failed")) == (3, 0)
    assert (found(created_after="2100-01-01T00:00:00Z"), found(created_before="2100-01-01")) == (0, 3)


BEYOND_THE_CALENDAR = (
    "cursor=MDAwMS0wMS0wMVQwMDowMDowMCsyMzo1OXwwMTk2NmMzZS01ZjNhLTdjYzEtOWQ1NS0yZjZmMWMxZjBhMTE"
)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "status=lost", "cursor=%21%21", "cursor=YWJj", BEYOND_THE_CALENDAR]
)
def test_a_bad_query_is_refused_with_its_name(client: httpx.Client, query: str) -> None:
    answer = client.get(f"/v1/jobs?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"#query/{query.split('=', maxsplit=1)[0]}"


def test_a_trailing_slash_is_a_path_of_its_own_and_redirects_nowhere(client: httpx.Client) -> None:
    answer = client.get("/v1/jobs/", headers={"Host": "evil.example"})
    assert (answer.status_code, "location" in answer.headers) == (404, False)


def test_a_tenant_sees_only_its_own(stack: Stack) -> None:
    stack.api()
    with stack.client() as mine, stack.client(stack.another_tenant()["key"]) as other:
        job_id = mine.post("/v1/til", json=day()).json()["id"]
        for answer in (other.get(f"/v1/jobs/{job_id}"), other.post(f"/v1/jobs/{job_id}/cancel")):
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert other.get("/v1/jobs").json()["jobs"] == []
        assert mine.get(f"/v1/jobs/{job_id}").json()["status"] == "queued"
        assert mine.get(f"/v1/jobs/{uuid.uuid4()}").status_code == 404


def test_a_queued_job_is_cancelled_at_once_and_a_waiting_reader_is_woken(client: httpx.Client) -> None:
    job_id = client.post("/v1/til", json=day()).json()["id"]
    answer = client.post(f"/v1/jobs/{job_id}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    began = time.monotonic()
    assert client.get(f"/v1/jobs/{job_id}", params={"wait": 30}).json()["status"] == "cancelled"
    assert time.monotonic() - began < 25
    again = client.post(f"/v1/jobs/{job_id}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "already_finished")


@pytest.mark.parametrize("wait", ["0", "61", "x"])
def test_a_wait_out_of_bounds_is_refused(client: httpx.Client, wait: str) -> None:
    assert client.get(f"/v1/jobs/{uuid.uuid4()}", params={"wait": wait}).status_code == 422


def test_health_readiness_and_metrics(stack: Stack) -> None:
    process = stack.api()
    base = stack.api_url
    assert httpx.get(f"{base}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{base}/readyz").json() == {"status": "ok", "postgres": "ok", "redis": "ok"}
    with stack.client() as client:
        client.post("/v1/til", json=day())
    metrics = process.metrics()
    assert 'til_submissions_total{outcome="accepted"} 1.0' in metrics
    assert 'route="/v1/til",status="202"' in metrics
    assert httpx.get(f"{base}/metrics").status_code == 404
    assert httpx.get(f"{base}/nothing").json()["code"] == "not_found"
    assert httpx.delete(f"{base}/healthz").json()["code"] == "method_not_allowed"
    assert httpx.get(f"{base}/v1/nothing").json()["code"] == "unauthorized"


def test_the_openapi_document_shows_examples_and_the_errors(stack: Stack) -> None:
    stack.api()
    document = httpx.get(f"{stack.api_url}/openapi.json").json()
    submit = document["paths"]["/v1/til"]["post"]
    assert {"202", "200", "401", "413", "422", "503"} <= submit["responses"].keys()
    assert submit["requestBody"]["content"]["application/json"]["examples"]
    assert httpx.get(f"{stack.api_url}/docs").status_code == 200


def test_the_log_names_request_and_job_and_no_code_and_no_key(stack: Stack) -> None:
    process = stack.api()
    with stack.client() as client:
        answer = client.post("/v1/til", json=day(repo="very-private"), headers={"X-Request-Id": "my-id"})
    assert answer.headers["x-request-id"] == "my-id"
    log = until(lambda: text if "my-id" in (text := process.log.read_text()) else "")
    assert answer.json()["id"] in log
    assert "very-private" not in log
    assert stack.keys["key"] not in log
