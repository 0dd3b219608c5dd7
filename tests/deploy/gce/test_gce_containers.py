"""How the machines start their containers: confined, with what each needs and no more."""

from __future__ import annotations

import re

import pytest

from tests.deploy.gce import rendering
from tests.deploy.gce.hcl import GCE, ROOT, only
from tests.deploy.gce.rendering import MACHINES, MIGRATE_SECONDS

CONFINED = ("--read-only", "--cap-drop ALL", "--security-opt no-new-privileges")
OURS = {"til-api", "til-steward", "til-worker", "til-migrate", "til-valkey"}
CAPABILITIES = {
    "til-dcgm": {"SYS_ADMIN"},
    "til-postgres": {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"},
}
"""Of the profiling counters, and of a start as root that becomes another user."""


@pytest.fixture(scope="session")
def runs(rendered: dict[tuple[str, str], str]) -> dict[str, str]:
    """The arguments of docker run by the container's name, of every machine."""
    found = {}
    for name in MACHINES:
        for text in rendering.written(rendered["terraform", name]).values():
            for line in re.findall(r"docker run (.+)", text.replace("\\\n", " ")):
                found[re.findall(r"--name (\S+)", line)[0]] = line
    return found


def options(run: str, name: str) -> set[str]:
    return set(re.findall(rf"--{name}[ =](\S+)", run))


def test_every_container_is_confined(runs: dict[str, str]) -> None:
    assert len(runs) == 11
    for name, run in runs.items():
        assert [flag for flag in CONFINED if flag not in run] == [], name
        assert options(run, "cap-add") == CAPABILITIES.get(name, set()), name
        assert "--init" not in run, name
        assert "--privileged" not in run, name


def test_ours_are_not_root(runs: dict[str, str]) -> None:
    assert {name for name, run in runs.items() if options(run, "user") == {"10001:10001"}} == OURS


def test_a_worker_may_run_what_it_compiles_and_keeps_it(
    runs: dict[str, str], rendered: dict[tuple[str, str], str]
) -> None:
    assert options(runs["til-worker"], "tmpfs") == {"/tmp:exec,mode=1777"}
    # A named volume: a folder of the host below /var is mounted noexec.
    assert "til-cache:/cache" in options(runs["til-worker"], "volume")
    environment = rendering.written(rendered["terraform", "worker"])["/etc/til/worker.env"].splitlines()
    assert "HOME=/cache" in environment
    assert "install -d -o til -g til /models /cache" in (ROOT / "deploy/images/worker.Dockerfile").read_text()
    assert options(runs["til-api"], "tmpfs") == {"/tmp"}


def test_containers_on_a_gpu_find_its_libraries(
    runs: dict[str, str], rendered: dict[tuple[str, str], str]
) -> None:
    environment = rendering.written(rendered["terraform", "worker"])["/etc/til/worker.env"]
    for told in (environment, runs["til-dcgm"]):
        assert re.search(r"\bLD_LIBRARY_PATH=/usr/local/nvidia/lib64\b", told)
    for name in ("til-worker", "til-dcgm"):
        assert "/var/lib/nvidia/lib64:/usr/local/nvidia/lib64:ro" in options(runs[name], "volume")
        assert {"/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm"} == options(runs[name], "device")
    assert "/var/lib/nvidia/bin:/usr/local/nvidia/bin:ro" in options(runs["til-worker"], "volume")


def test_a_migration_has_its_time(rendered: dict[tuple[str, str], str]) -> None:
    unit = rendering.written(rendered["terraform", "api"])["/etc/systemd/system/til-migrate.service"]
    assert f"TimeoutStartSec={MIGRATE_SECONDS}\n" in unit


def test_grafana_and_flower_are_reached_from_their_machine_only(
    runs: dict[str, str], rendered: dict[tuple[str, str], str]
) -> None:
    assert options(runs["til-grafana"], "publish") == {"127.0.0.1:3000:3000"}
    assert options(runs["til-flower"], "publish") == {"127.0.0.1:5555:5555"}
    assert options(runs["til-grafana"], "network") == options(runs["til-prometheus"], "network")
    files = rendering.written(rendered["terraform", "monitoring"])
    [source] = [text for path, text in files.items() if "/datasources/" in path]
    [alias] = options(runs["til-prometheus"], "network-alias")
    assert f"http://{alias}:9090" in source
    [provider] = [text for path, text in files.items() if "/provisioning/dashboards/" in path]
    [folder] = re.findall(r"path: (\S+)", provider)
    assert f"/etc/til/grafana/dashboards:{folder}:ro" in options(runs["til-grafana"], "volume")
    assert len([path for path in files if path.startswith("/etc/til/grafana/dashboards/")]) == 4
    grafana = files["/etc/til/grafana.env"].splitlines()
    assert {"GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION=true", "GF_AUTH_ANONYMOUS_ORG_ROLE=Viewer"} <= set(
        grafana
    )


def test_prometheus_reads_every_rule_file(rendered: dict[tuple[str, str], str]) -> None:
    files = rendering.written(rendered["terraform", "monitoring"])
    folder = ROOT / "deploy" / "monitoring" / "rules"
    assert {path.name: path.read_text() for path in folder.glob("*.yml")} == {
        path.removeprefix("/etc/til/rules/"): text for path, text in files.items() if "/rules/" in path
    }
    assert "/etc/til/rules/*.yml" in files["/etc/til/prometheus.yml"]


def test_images_of_others_are_those_that_compose_runs() -> None:
    lock = {
        line.split("@")[0].split(":")[0]: line
        for line in (ROOT / "deploy" / "images" / "bases.lock").read_text().splitlines()
        if not line.startswith("#")
    }
    defaults = re.findall(
        r'optional\(string, "([^"]+)"\)', str(only(GCE, "variable", "images").attributes).replace('\\"', '"')
    )
    assert len(defaults) == 6
    others = {
        image.split("@")[0].split(":")[0]: image for image in defaults if "prometheus-engine" not in image
    }
    assert others == {name: lock[name] for name in others}
