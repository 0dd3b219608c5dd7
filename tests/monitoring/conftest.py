"""Selects the tests that can run on this machine; a model server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.conftest import openai_settings, served
from tests.monitoring.programs import find
from tests.worker.model_server import ModelServer
from tests.worker.test_openai import MODELS

collect_ignore = [] if find("prometheus") and find("promtool") else ["test_prometheus.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line if Prometheus is missing."""
    if collect_ignore:
        terminalreporter.write_line(
            "Prometheus is missing (make deploy-check unpacks it): not tested with it"
        )


@pytest.fixture
def openai_engine() -> Iterator[dict[str, str]]:
    """The environment of a worker whose model's server does all that it accepts."""
    server = ModelServer()
    with served(server.answer, lambda: MODELS, server.metrics) as url:
        yield openai_settings(url)
