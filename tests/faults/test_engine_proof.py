"""The server is replaced during an outage: each post says whether its schema was enforced."""

from __future__ import annotations

import json

from tests.faults.conftest import openai_settings, served
from tests.stack.jobs import SHORT, Jobs
from tests.stack.processes import Process, Stack, until
from tests.worker.foreign_answers import TEXT, refusal
from tests.worker.model_server import ENFORCE, IGNORE, REFUSE, ModelServer
from tests.worker.test_openai import MODELS


def proofs(worker: Process) -> list[tuple[str, bool, bool]]:
    """The schema mode of each proof in the log, and its results for schemas and seeds."""
    lines = [json.loads(line) for line in worker.log.read_text().splitlines() if "engine_proof" in line]
    return [(line["schema_mode"], line["schema"], line["seed"]) for line in lines]


def test_a_server_that_was_replaced_gets_a_new_proof(stack: Stack, jobs: Jobs) -> None:
    server, here = ModelServer(response_format=REFUSE, tool_choice=ENFORCE, reply=lambda _: TEXT), [True]

    def models() -> bytes:
        return MODELS if here[0] else refusal(401, {"message": "unknown key"})

    with served(server.answer, models, server.metrics) as url:
        stack.steward(**SHORT)
        worker = stack.worker(**openai_settings(url), **SHORT)
        before = jobs.get(jobs.submit(), wait=60)
        here[0] = False
        until(lambda: "engine_misconfigured" in worker.log.read_text(), 30)
        server.response_format, server.tool_choice, server.seed = IGNORE, IGNORE, False
        here[0] = True
        until(lambda: len(proofs(worker)) == 2, 60)
        after = jobs.get(jobs.submit(), wait=60)
        assert worker.popen.poll() is None
    assert proofs(worker) == [("tool_choice", True, True), ("response_format", False, False)]
    assert [job["status"] for job in (before, after)] == ["succeeded"] * 2
    assert [job["provenance"]["schema"] for job in (before, after)] == ["enforced", "validated"]
