"""Selects the tests that can run on this machine."""

from __future__ import annotations

import pytest

from tests.monitoring.programs import find

collect_ignore = [] if find("prometheus") and find("promtool") else ["test_prometheus.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line if Prometheus is missing."""
    if collect_ignore:
        terminalreporter.write_line(
            "Prometheus is missing (make deploy-check unpacks it): not tested with it"
        )
