"""The rendered cloud-config of each VM: valid scripts and units, and no secret values."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped,unused-ignore]

from tests.deploy.gce import rendering
from tests.deploy.gce.hcl import GCE, local_values, only
from tests.deploy.gce.rendering import FILES, MACHINES, PARTS

TERRAFORM = shutil.which("terraform")
WAYS = ["ours", "terraform"] if TERRAFORM else ["ours"]
"""Without Terraform, only the simple substitution is tested."""
PUBLISHED = re.compile(r"--publish (?:127\.0\.0\.1:)?(\S+):(\d+)")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    """The cloud-config by (way of rendering, kind of VM)."""
    made = {("ours", name): rendering.user_data(parts) for name, (parts, _) in MACHINES.items()}
    if TERRAFORM:
        for name, (parts, secrets) in MACHINES.items():
            folder = tmp_path_factory.mktemp(name)
            made["terraform", name] = rendering.by_terraform(folder, parts, secrets)["user_data"]
    return made


def check_shell(text: str) -> None:
    done = subprocess.run(["bash", "-n"], check=False, input=text, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stderr}\n{text}"


def units(config: str) -> dict[str, str]:
    return {Path(path).name: text for path, text in rendering.written(config).items() if "/systemd/" in path}


def test_the_parts_and_secrets_are_those_of_main_tf() -> None:
    machines = local_values(GCE)["machines"]
    assert {name: (one["parts"], one["secrets"]) for name, one in machines.items()} == {
        name: what for name, what in MACHINES.items() if name != "data"
    }


def test_the_templates_use_exactly_the_given_values() -> None:
    wanted = set[str]().union(*(rendering.used(path) for path in PARTS.glob("*.tftpl")))
    assert wanted == local_values(rendering.CLOUD_INIT)["values"].keys()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("machine", MACHINES)
def test_cloud_config_and_its_scripts_are_valid(
    rendered: dict[tuple[str, str], str], way: str, machine: str
) -> None:
    config = rendered[way, machine]
    assert config.startswith("#cloud-config\n")
    assert set(yaml.safe_load(config)) == {"write_files", "runcmd"}
    files = rendering.written(config)
    assert "${" not in "".join(text for path, text in files.items() if not path.endswith(".sh"))
    for path, text in files.items():
        if path.endswith(".sh"):
            assert text.startswith("#!/bin/bash\n")
            check_shell(text)
        if path.endswith(".yml"):
            yaml.safe_load(text)
    if way == "ours":
        assert len(config) < 128 * 1024


@pytest.mark.parametrize("machine", MACHINES)
def test_units_need_only_existing_files(rendered: dict[tuple[str, str], str], machine: str) -> None:
    config = rendered[WAYS[-1], machine]
    found, files = units(config), rendering.written(config)
    for name, text in found.items():
        assert text.startswith("[Unit]\n"), name
        named = set(re.findall(r"\btil-[\w-]+\.service", text))
        assert named <= found.keys(), f"{name}: {named - found.keys()}"
        scripts = set(re.findall(r"/etc/til/[\w.-]+", text))
        assert scripts <= files.keys(), f"{name}: {scripts - files.keys()}"
        for line in re.findall(r"^Exec\w+=-?(.+)$", text, re.MULTILINE):
            check_shell(line)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_long_running_unit_is_upheld(rendered: dict[tuple[str, str], str], machine: str) -> None:
    if TERRAFORM is None:
        known = local_values(rendering.CLOUD_INIT)["units"]
        upheld = {unit for part in ["common", *MACHINES[machine][0]] for unit in known[part]}
    else:
        upheld = set(units(rendered["terraform", machine])["til.target"].split("Upholds=")[1].split())
    found = units(rendered["ours", machine])
    lasting = {name for name, text in found.items() if "Restart=always" in text}
    assert lasting <= upheld <= found.keys()


def test_published_ports_of_a_vm_are_distinct(rendered: dict[tuple[str, str], str]) -> None:
    for (_, machine), config in rendered.items():
        ports = [port for text in units(config).values() for port, _ in PUBLISHED.findall(text)]
        assert len(ports) == len(set(ports)), machine


def test_our_containers_are_read_only_and_not_root(rendered: dict[tuple[str, str], str]) -> None:
    if TERRAFORM is None:
        runs = [local_values(rendering.CLOUD_INIT)["values"]["hardening"]]
    else:
        texts = units(rendered["terraform", "together"])
        names = ("til-api", "til-steward", "til-worker", "til-migrate")
        runs = [
            line for name in names for line in texts[f"{name}.service"].splitlines() if "docker run" in line
        ]
        assert len(runs) == 4
    for run in runs:
        for flag in ("--read-only", "--cap-drop ALL", "no-new-privileges", "--user 10001:10001"):
            assert flag in run


def test_a_worker_stops_within_the_preemption_notice() -> None:
    assert local_values(rendering.CLOUD_INIT)["stop_seconds"] == "${var.worker.drain_seconds + 3}"
    [limit] = [
        block.attributes["condition"]
        for block in only(GCE, "variable", "worker").children("validation")
        if "drain_seconds" in str(block.attributes["condition"])
    ]
    assert limit == "${var.worker.drain_seconds <= 24}"
    script = rendering.render(FILES / "shutdown.sh.tftpl", {"drain_seconds": 24, "stop_seconds": 27})
    check_shell(script)
    assert "docker stop --time 27" in script


def test_no_template_contains_a_secret_or_passes_one_on_a_command_line(
    rendered: dict[tuple[str, str], str],
) -> None:
    secret = re.compile(
        r"(PASSWORD|SECRET_KEYS|DATABASE_URL|REDIS_URL|BASIC_AUTH|TOKEN)=(?!/run/til/|\$\()\S"
    )
    for (_, machine), config in rendered.items():
        for path, text in rendering.written(config).items():
            assert not secret.findall(text), f"{machine} {path}"
            assert not re.search(r"://[^\s/@]*:[^\s/@]+@", text), f"{machine} {path}"
    assert secret.search("--env REDIS_URL=redis://:x@h/0")
    assert not secret.search("REDIS_URL=$(cat /run/til/secrets/redis-url)")
