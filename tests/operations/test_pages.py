"""The runbooks name only what is there: links, files, settings, commands, routes, services, metrics."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import typer
import yaml
from til_client.cli import app as til

from admin.__main__ import parser
from api.app import create_app
from api.settings import ApiSettings
from steward.settings import StewardSettings
from tests.operations.pages import FOLDER, PAGES, ROOT, all_code, anchors, code, links, named
from webhooks.settings import WebhookSettings
from worker.settings import WorkerSettings

COMPOSE = [ROOT / "docker-compose.yml", *sorted((ROOT / "deploy" / "compose").glob("*.yml"))]
OF_OTHERS = {
    "pg_dump", "pg_restore", "pg_isready", "til_before", "til_restored", "ephemeral_storage", "used_bytes",
}  # fmt: skip
"""Words with an underscore: PostgreSQL's programs, parts of Google's metrics, databases that a page makes."""


def test_every_link_leads_somewhere() -> None:
    found = [(path.name, file, anchor) for path in PAGES for file, anchor in links(path)]
    assert len(found) > 50
    for page, file, anchor in found:
        assert file.exists(), f"{page}: {file}"
        assert not anchor or anchor in anchors(file), f"{page}: {file.name}#{anchor}"


def test_the_index_has_every_page() -> None:
    listed = {file.name for file, _ in links(FOLDER / "README.md") if file.parent == FOLDER}
    assert listed == {path.name for path in PAGES} - {"README.md"}


def test_every_file_that_is_named_is_there_or_is_made() -> None:
    made = set(re.findall(r"(?m)^keep (\S+)", (ROOT / "deploy" / "secrets.sh").read_text()))
    assert "redis_url" in made
    paths = named(r"(?<![\w./-])((?:deploy|docs|tests)/[\w./-]*\w)")
    assert len(paths) > 10
    missing = {path for path in paths if not (ROOT / path).exists() and Path(path).name not in made}
    assert missing == {"deploy/secrets", *(path for path in paths if path.startswith("deploy/til-queue-"))}


def settings() -> set[str]:
    """The variables that our processes, the `til` command and the compose files read."""
    own = {f"TIL_{n.upper()}" for c in (ApiSettings, StewardSettings, WorkerSettings) for n in c.model_fields}
    hooks = {f"TIL_WEBHOOK_{name.upper()}" for name in WebhookSettings.model_fields}
    compose = {name for path in COMPOSE for name in re.findall(r"\$\{(TIL_\w+)", path.read_text())}
    return own | hooks | compose | {"TIL_URL", "TIL_KEY"}


def test_every_setting_is_one_that_is_read() -> None:
    found = named(r"\bTIL_[A-Z_]+\b")
    assert len(found) > 15
    assert found - settings() == set()


def test_every_use_of_til_server_is_one_that_it_takes() -> None:
    uses = [match for text in all_code() for match in re.findall(r"til-server ([a-z][^`'|;#\n]*)", text)]
    assert {use.split()[0] for use in uses} >= {"migrate", "bootstrap", "secret-key", "new-secret"}
    for use in uses:
        parser().parse_args(use.split())
    revisions = {re.findall(r"\d+", use)[0] for use in uses if use.startswith("migrate ")}
    assert all(list((ROOT / "migrations" / "versions").glob(f"v{name}_*.py")) for name in revisions)


def test_til_server_refuses_what_it_does_not_know() -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["rotate", "--tenant", "NAME"])


def test_every_use_of_the_til_command_is_one_that_it_takes() -> None:
    uses = [match for text in all_code() for match in re.findall(r"^til ([a-z][^`|;#\n]*)", text)]
    assert uses
    for use in uses:
        command, words = typer.main.get_command(til), use.split()
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]  # type: ignore[attr-defined]
        assert not getattr(command, "commands", {}), use
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, use


def test_every_route_is_one_of_the_api() -> None:
    paths = create_app(ApiSettings.model_construct(), WebhookSettings(), lambda _: None).openapi()["paths"]
    known = {
        f"{method.upper()} {re.sub(r'{.*?}', '{}', path)}"
        for path, methods in paths.items()
        for method in methods
    }
    found = named(r"\b((?:GET|POST|PUT|PATCH|DELETE) /[\w/{}-]+)")
    assert len(found) > 4
    assert {re.sub(r"{.*?}", "{}", route) for route in found} <= known


def services() -> set[str]:
    return {name for path in COMPOSE for name in yaml.safe_load(path.read_text())["services"]}


def compose_words(text: str) -> set[str]:
    """The services that one `docker compose` command names."""
    words = re.sub(r"--scale (\w+)=\d+", r"\1", text).split()
    command, rest = words[0], [word for word in words[1:] if not word.startswith("-")]
    return set(rest[:1] if command in {"exec", "run"} else rest if command in {"up", "stop"} else [])


def test_every_service_of_a_compose_command_is_there() -> None:
    uses = [use for text in all_code() for use in re.findall(r"docker compose ([a-z][^`|;&#<\n]*)", text)]
    found = {service for use in uses for service in compose_words(use)}
    assert {"api", "steward", "worker", "postgres", "redis", "grafana"} <= found
    assert found <= services()


def test_every_name_with_an_underscore_is_one_of_this_repository() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    files = [ROOT / name for name in listed.splitlines() if not name.startswith(("docs/", "tests/"))]
    text = "\n".join(path.read_text(errors="ignore") for path in files if path.exists())
    known = set(re.findall(r"\w+", text + listed))
    found = named(r"(?<![\w-])[a-z]+(?:_[a-z0-9]+)+(?![\w-])")
    assert len(found) > 60
    assert found - known - OF_OTHERS == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_is_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.split()) < 1500
    assert code(text)
