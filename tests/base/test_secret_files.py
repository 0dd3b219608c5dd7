"""Secrets from files, in settings and in running processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from api.settings import ApiSettings
from base.secret_files import BadSecretFile, is_secret, secret
from base.settings import ServerSettings
from steward.settings import StewardSettings
from tenants.sealing import new_sealing_key
from tenants.settings import SecretSettings
from worker.settings import WorkerSettings

URL = "postgresql://til:pass@host/til"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.startswith(("TIL_", "DATABASE_URL", "REDIS_URL"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("REDIS_URL", "redis://host")
    return monkeypatch


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_secret_comes_from_its_file_without_the_line_end(
    environment: pytest.MonkeyPatch, tmp_path: Path, ending: str
) -> None:
    file = tmp_path / "url"
    file.write_text(URL + ending, newline="")
    environment.setenv("DATABASE_URL_FILE", str(file))
    assert ServerSettings().database_url.get_secret_value() == URL
    assert secret("DATABASE_URL") == URL


def test_every_secret_setting_of_every_process_may_come_from_a_file(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = new_sealing_key()
    for name in ("DATABASE_URL", "REDIS_URL", "TIL_SECRET_KEYS", "TIL_OPENAI_KEY"):
        (tmp_path / name).write_text(f"{key}\n")
        environment.setenv(f"{name}_FILE", str(tmp_path / name))
    environment.delenv("REDIS_URL")
    for kind in (ApiSettings, StewardSettings, WorkerSettings, SecretSettings):
        settings = kind()
        names = [name for name, field in kind.model_fields.items() if is_secret(field)]
        assert names
        values = [getattr(settings, name) for name in names]
        assert values == [SecretStr(key)] * len(names)
        assert key not in repr(settings)


def test_a_setting_that_is_not_a_secret_has_no_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "level").write_text("debug")
    environment.setenv("TIL_LOG_LEVEL_FILE", str(tmp_path / "level"))
    environment.setenv("DATABASE_URL", URL)
    assert ServerSettings().log_level == "info"


def test_a_value_and_a_file_are_refused_and_an_empty_one_is_ignored(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "url").write_text(URL)
    environment.setenv("DATABASE_URL", "postgresql://other")
    environment.setenv("DATABASE_URL_FILE", str(tmp_path / "url"))
    with pytest.raises(BadSecretFile, match="DATABASE_URL and DATABASE_URL_FILE are both set: leave one out"):
        ServerSettings()
    environment.setenv("DATABASE_URL", "")
    assert ServerSettings().database_url.get_secret_value() == URL
    environment.setenv("DATABASE_URL_FILE", "")
    assert secret("DATABASE_URL") == ""


def test_the_error_for_a_missing_or_binary_file_does_not_contain_its_content(tmp_path: Path) -> None:
    with pytest.raises(BadSecretFile, match=r"X_FILE: .*/none can't be read: No such file"):
        secret("X", {"X_FILE": str(tmp_path / "none")})
    (tmp_path / "binary").write_bytes(b"hidden\xff")
    with pytest.raises(BadSecretFile, match=r"binary is not UTF-8 text") as raised:
        secret("X", {"X_FILE": str(tmp_path / "binary")})
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize("command", ["api", "worker", "steward", "admin migrate"])
def test_a_process_exits_with_a_message_if_the_file_cannot_be_read(command: str, tmp_path: Path) -> None:
    values = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL_FILE": str(tmp_path / "none"),
        "REDIS_URL": "redis://h",
    }
    line = [sys.executable, "-m", *command.split()]
    done = subprocess.run(line, check=False, env=values, capture_output=True, text=True)
    assert done.returncode == 1
    (message,) = done.stderr.strip().splitlines()
    assert f"DATABASE_URL_FILE: {tmp_path / 'none'} can't be read" in message


def test_a_process_names_each_setting_that_it_lacks_or_cannot_use() -> None:
    values = {"PATH": os.environ["PATH"], "TIL_METRICS_PORT": "many", "REDIS_URL": "redis://h"}
    done = subprocess.run(
        [sys.executable, "-m", "steward"], check=False, env=values, capture_output=True, text=True
    )
    lines = sorted(line.split(":")[0] for line in done.stderr.strip().splitlines())
    assert (done.returncode, lines) == (1, ["DATABASE_URL", "TIL_METRICS_PORT"])
