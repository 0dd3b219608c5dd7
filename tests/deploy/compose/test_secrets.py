"""Secrets of the compose files: files made by deploy/secrets.sh, mounted only where they are used."""

from __future__ import annotations

import base64
import re
import stat
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.deploy.compose.test_compose import OURS, ROOT, SECRETS, SERVICES, mounted


def make(folder: Path) -> list[str]:
    done = subprocess.run(
        [ROOT / "deploy" / "secrets.sh", folder], check=True, capture_output=True, text=True
    )
    return done.stdout.splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "secrets"
    make(made)
    return made


def test_every_secret_is_a_file_that_the_script_makes(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == SECRETS.keys()
    for name, secret in SECRETS.items():
        assert secret == {"file": f"${{TIL_SECRETS:-./deploy/secrets}}/{name}"}
    assert set().union(*(mounted(service) for service in SERVICES.values())) == SECRETS.keys()


def test_the_folder_is_private_and_its_files_are_readable_inside_containers(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o444}


def test_passwords_and_addresses_match_and_existing_files_are_kept(folder: Path) -> None:
    database = urlsplit((folder / "database_url").read_text().strip())
    assert database.password == (folder / "postgres_password").read_text().strip()
    redis = urlsplit((folder / "redis_url").read_text().strip())
    assert f"requirepass {redis.password}\n" == (folder / "redis.conf").read_text()
    assert len(base64.urlsafe_b64decode((folder / "secret_keys").read_text())) == 32
    before = {path.name: path.read_text() for path in folder.iterdir()}
    (folder / "hf_token").unlink()
    assert make(folder) == [str(folder / "hf_token")]
    assert {path.name: path.read_text() for path in folder.iterdir()} == before


def test_two_machines_have_different_secrets(folder: Path, tmp_path: Path) -> None:
    make(tmp_path / "other")
    other = {path.name: path.read_text() for path in (tmp_path / "other").iterdir()}
    same = [path.name for path in folder.iterdir() if path.read_text() == other[path.name]]
    assert sorted(same) == ["hf_token", "openai_key", "pagerduty_routing_key", "slack_url"]


def test_no_secret_is_in_an_environment_or_in_git_or_an_image() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|KEY|TOKEN|_AUTH|_URL(_FILE)?$", variable):
                is_file = str(value).startswith("/run/secrets/")
                assert is_file or variable in ("TIL_OPENAI_URL",), (name, variable)
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    assert "!deploy/secrets" not in (ROOT / ".dockerignore").read_text()


def test_a_service_mounts_only_the_secrets_that_it_uses() -> None:
    seen = {name: mounted(SERVICES[name]) for name in OURS | {"postgres", "redis"}}
    servers = {"database_url", "redis_url"}
    assert seen == {
        "postgres": {"postgres_password"},
        "redis": {"redis.conf"},
        "migrate": servers | {"secret_keys"},
        "api": servers | {"secret_keys"},
        "steward": servers | {"secret_keys"},
        "worker": servers | {"openai_key"},
        "worker-gpu": servers | {"hf_token"},
        "flower": {"redis_url", "flower_basic_auth"},
    }
    for name in OURS - {"flower"}:
        files = {
            value.removeprefix("/run/secrets/")
            for value in SERVICES[name]["environment"].values()
            if str(value).startswith("/run/secrets/")
        }
        assert files == seen[name]
