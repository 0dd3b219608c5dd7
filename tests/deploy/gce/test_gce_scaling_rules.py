"""The recording rules for the autoscalers, evaluated with promtool."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped,unused-ignore]

from tests.deploy.gce import rendering
from tests.deploy.gce.hcl import GCE, ROOT

DESIRED = 'til_workers_desired{{job="{job}", instance="{instance}", model="default"}}'
READY = 'til_engine_ready{{job="worker", provisioning="spot", vm_model="default", instance="{}"}}'
MINUTES = 30
EXPORTERS = [("api", "a"), ("api", "b"), ("steward", "a"), ("steward", "b")]


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], check=False, capture_output=True, text=True, timeout=60)


def desired(values: str) -> dict[str, str]:
    """Every api and steward exports the same value."""
    return {DESIRED.format(job=job, instance=instance): values for job, instance in EXPORTERS}


def evaluated(folder: Path, series: dict[str, str], expected: dict[str, float | None], minutes: int) -> str:
    """promtool's error output; empty if each group's series has the expected value after `minutes`."""
    (folder / "rules.yml").write_text(rendering.scaling_rules())
    tests: list[dict[str, Any]] = [
        {
            "interval": "15s",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [
                {
                    "expr": f'til_workers_desired{{group="{group}"}}',
                    "eval_time": f"{minutes}m",
                    "exp_samples": []
                    if value is None
                    else [
                        {"labels": f'til_workers_desired{{group="{group}", model="default"}}', "value": value}
                    ],
                }
                for group, value in expected.items()
            ],
        }
    ]
    file = folder / "test.yml"
    file.write_text(json.dumps({"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": tests}))
    done = promtool("test", "rules", str(file))
    return "" if done.returncode == 0 else done.stdout + done.stderr


def steady(value: float) -> str:
    return f"{value}x{MINUTES * 4}"


def test_the_rules_and_the_configuration_are_valid(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(rendering.scaling_rules())
    config = yaml.safe_load(rendering.prometheus_config())
    config["rule_files"] = ["rules.yml"]
    assert {job["job_name"] for job in config["scrape_configs"]} == {
        "api",
        "steward",
        "worker",
        "gpu",
        "node",
    }
    del config["global"]["external_labels"]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    done = promtool("check", "config", str(tmp_path / "prometheus.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        pytest.param(desired(steady(3)), {"first": 3, "fallback": 3}, id="no spot machine ever came"),
        pytest.param(
            desired(steady(3)) | {READY.format(n): steady(1) for n in "ab"},
            {"first": 3, "fallback": 1},
            id="two of three spot machines are ready",
        ),
        pytest.param(
            desired(steady(2)) | {READY.format(n): steady(1) for n in "abc"},
            {"first": 2, "fallback": 0},
            id="more are ready than desired",
        ),
        pytest.param(
            desired(steady(1)) | {READY.format("a"): f"0x{MINUTES * 4 - 8} {steady(1)}"},
            {"first": 1, "fallback": 0},
            id="a spot machine has just got ready",
        ),
        pytest.param(desired(steady(0)), {"first": 0, "fallback": 0}, id="no worker is desired"),
        pytest.param(
            desired(f"0x{MINUTES * 4 - 8} {steady(4)}"),
            {"first": 4, "fallback": 0},
            id="spot has time to boot",
        ),
        pytest.param({READY.format("a"): steady(1)}, {"first": None, "fallback": None}, id="no series"),
        pytest.param(
            desired(f"4x{MINUTES * 4 - 16} stale _x20"),
            {"first": None, "fallback": None},
            id="the series is stale",
        ),
    ],
)
def test_each_group_has_exactly_one_series(
    tmp_path: Path, series: dict[str, str], expected: dict[str, float | None]
) -> None:
    assert evaluated(tmp_path, series, expected, MINUTES) == ""


def test_a_wrong_expectation_is_found(tmp_path: Path) -> None:
    assert evaluated(tmp_path, desired(steady(3)), {"first": 12}, MINUTES) != ""


def test_the_metrics_of_the_rules_exist() -> None:
    named = {word for word in rendering.scaling_rules().replace("(", " ").split() if word.startswith("til_")}
    names = {word.split("{")[0].split("[")[0].rstrip(")") for word in named}
    assert {"til_workers_desired", "til_engine_ready"} <= names
    assert '"til_engine_ready"' in (ROOT / "worker" / "metrics.py").read_text()
    assert "til_oldest_queued_seconds" in (GCE / "modules" / "monitoring" / "alerts.tf").read_text()
