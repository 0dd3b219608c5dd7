"""A client follows a post while it is written, through real processes, whatever happens to them."""

from __future__ import annotations

import signal

from deploy.local.valkey import ValkeyServer
from tests.stack.events import Reader
from tests.stack.jobs import SHORT, Jobs
from tests.stack.processes import Process, Stack, until


def test_a_client_sees_the_status_then_the_text_as_it_is_written_then_the_end(
    stack: Stack, jobs: Jobs
) -> None:
    stack.steward()
    stack.worker(TIL_OUTLINE_SECONDS="4")
    job_id, reader = jobs.submit(), Reader()
    job = reader.read_to_the_end(jobs.client, job_id)
    assert job == jobs.get(job_id)
    assert reader.text == job["result"]["content"]
    names = reader.names()
    assert [name for name in names if name not in {"queued", "text", "progress"}] == [
        *("running", "succeeded", "end")
    ]
    texts = [event.data["delta"] for event in reader.events if event.name == "text"]
    assert len(texts) > 8
    assert texts[0].startswith("# ada/engine")
    assert not any('{"' in text or '"sources"' in text for text in texts)
    assert {"stage": "write", "done": 0, "total": 1, "completion_tokens": 0} in [
        event.data for event in reader.events if event.name == "progress"
    ]


def test_a_client_comes_back_for_the_rest_and_a_late_one_gets_the_whole(stack: Stack, jobs: Jobs) -> None:
    stack.steward()
    stack.api()
    stack.worker(TIL_OUTLINE_SECONDS="15")
    job_id, first, late = jobs.submit(), Reader(), Reader()
    first.read_some(jobs.client, job_id, 60)
    before = first.text
    with stack.client() as another:
        late.read_some(another, job_id, 60)
        job = first.read_to_the_end(another, job_id)
    assert late.events[0].data == {"status": "running"}
    assert next(event for event in late.events if event.name == "text").data["delta"].startswith(before)
    assert first.text == job["result"]["content"]
    assert (first.names().count("running"), first.names()[-2:]) == (1, ["succeeded", "end"])
    late.read_to_the_end(jobs.client, job_id)
    assert late.text == first.text
    assert late.names().count("running") == 1
    after = Reader()
    after.read_to_the_end(jobs.client, job_id)
    assert after.names() == ["succeeded", "end"]


def test_a_second_attempt_starts_the_text_anew(stack: Stack, jobs: Jobs) -> None:
    stack.steward(**SHORT)
    first = stack.worker(TIL_OUTLINE_SECONDS="60", **SHORT)
    job_id, reader = jobs.submit(), Reader()
    with reader.listen(jobs.client, job_id) as events:
        for _ in events:
            if len(reader.text) > 20 and first.popen.poll() is None:
                first.stop(signal.SIGKILL)
                stack.worker(TIL_OUTLINE_SECONDS="2", **SHORT)
    assert reader.text == reader.ended()["result"]["content"]
    ids = [event.id for event in reader.events if event.name == "text" and event.id]
    assert [ids[0][:2], ids[-1][:2]] == ["1-", "2-"]
    assert ids == sorted(ids, key=lambda one: [int(part) for part in one.split("-")])


def test_without_redis_a_client_still_sees_the_end_and_the_whole_text(
    stack: Stack, jobs: Jobs, valkey: ValkeyServer
) -> None:
    stack.steward()
    stack.worker(TIL_OUTLINE_SECONDS="6")
    job_id, reader, stopped = jobs.submit(), Reader(), False
    try:
        with reader.listen(jobs.client, job_id) as events:
            for _ in events:
                if reader.text and not stopped:
                    valkey.stop()
                    stopped = True
    finally:
        valkey.start()
    assert (stopped, reader.ended()["status"]) == (True, "succeeded")
    assert reader.text == reader.ended()["result"]["content"]


def test_a_cancelled_run_ends_the_stream_and_keeps_what_the_client_saw(stack: Stack, jobs: Jobs) -> None:
    stack.steward()
    stack.worker(TIL_OUTLINE_SECONDS="60")
    job_id, reader = jobs.submit(), Reader()
    with reader.listen(jobs.client, job_id) as events:
        for event in events:
            if reader.text and event.name == "text":
                jobs.client.post(f"/v1/jobs/{job_id}/cancel")
    assert reader.ended()["status"] == "cancelled"
    assert reader.text == reader.ended()["partial_text"]


def test_streams_end_when_their_api_stops_and_go_on_at_another(stack: Stack) -> None:
    api = stack.api()
    stack.steward()
    stack.worker(TIL_OUTLINE_SECONDS="15")
    with stack.client() as client:
        jobs, reader = Jobs(client), Reader()
        job_id = jobs.submit()
        with reader.listen(client, job_id) as events:
            for _ in events:
                if reader.text and api.popen.poll() is None:
                    api.ask_to_stop()
                    ended_by(api, 5)
    assert reader.events[-1].name != "end"
    stack.api()
    with stack.client() as client:
        job = reader.read_to_the_end(client, job_id)
    assert reader.text == job["result"]["content"]
    assert reader.names().count("running") == 1


def ended_by(process: Process, seconds: float) -> None:
    until(lambda: process.popen.poll() is not None, seconds)
    assert process.popen.returncode in {0, -signal.SIGTERM}
