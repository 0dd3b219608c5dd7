"""Real repositories."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client.repositories import DAY, Commit, git


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository of ada's."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.com")
    folder = tmp_path / "engine"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    return folder


@pytest.fixture
def commit(repository: Path) -> Commit:
    """Write files (None removes one) and commit them."""

    def one(message: str, files: dict[str, bytes | None], date: str = DAY) -> str:
        for name, data in files.items():
            path = repository / name
            if data is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        git(repository, "add", "-A")
        git(repository, "commit", "-qm", message, GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date)
        return git(repository, "rev-parse", "HEAD")

    return one
