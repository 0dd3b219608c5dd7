"""Whatever state a repository is in: its commits are read, or one sentence says why not."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from pathlib import Path

import pytest
from til_client.commits import collect
from til_client.git import GitFailed, NotARepository

from tests.client.repositories import Commit, collected, git, sentence

TODAY = datetime.date(2025, 4, 24)


def test_commits_whose_parents_a_shallow_clone_lacks_are_left_out(
    commit: Commit, repository: Path, tmp_path: Path
) -> None:
    commit("import", {f"f{n}.py": b"1\n" for n in range(9)})
    commit("two", {"f1.py": b"2\n"})
    commit("three", {"f1.py": b"3\n"})
    for depth, seen in ((1, set[str]()), (2, {"three"})):
        clone = tmp_path / f"depth{depth}"
        git(tmp_path, "clone", "-q", f"--depth={depth}", f"file://{repository}", str(clone))
        if not seen:
            assert "git fetch --unshallow" in str(sentence(clone))
            continue
        messages, said = collected(clone)
        assert messages == seen
        assert any("1 commit was left out" in note and "--unshallow" in note for note in said)
        inner = tmp_path / "inner"
        git(clone, "worktree", "add", "-q", str(inner), "HEAD")
        assert collected(inner)[0] == seen


def test_a_detached_head_and_a_stopped_rebase_are_read(commit: Commit, repository: Path) -> None:
    commit("one", {"a.py": b"1\n"})
    git(repository, "checkout", "-q", "--detach")
    assert collected(repository)[0] == {"one"}
    git(repository, "checkout", "-qb", "side")
    commit("side", {"a.py": b"2\n"})
    git(repository, "checkout", "-q", "main")
    commit("main", {"a.py": b"3\n"})
    stopped = subprocess.run(
        ["git", "rebase", "-q", "side"], cwd=repository, check=False, capture_output=True
    )
    assert stopped.returncode
    assert collected(repository)[0] == {"one", "side"}


def test_bare_and_nested_and_linked_repositories_are_read(
    commit: Commit, repository: Path, tmp_path: Path
) -> None:
    commit("one", {"src/a.py": b"1\n"})
    git(tmp_path, "clone", "-q", "--bare", str(repository), "bare.git")
    git(repository, "worktree", "add", "-q", str(tmp_path / "linked"))
    for folder in (tmp_path / "bare.git", repository / "src", tmp_path / "linked"):
        assert collected(folder)[0] == {"one"}


def test_settings_of_the_user_change_nothing(commit: Commit, repository: Path) -> None:
    commit("one", {"a.py": b"a\n\nb\n"})
    commit("two", {"a.py": b"a\n\nc\n", "b.py": b"1\n"})
    usual = collect(repository, None, None)
    for name, value in (
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("diff.suppressBlankEmpty", "true"),
        ("diff.external", "false"),
        ("color.ui", "always"),
        ("log.date", "relative"),
        ("log.showSignature", "true"),
        ("log.decorate", "full"),
        ("core.quotePath", "true"),
        ("core.pager", "false"),
    ):
        git(repository, "config", name, value)
    assert collect(repository, None, None) == usual


def test_what_is_missing_or_broken_is_one_sentence(commit: Commit, repository: Path, tmp_path: Path) -> None:
    sha = commit("one", {"a.py": b"1\n"})
    commit("two", {"a.py": b"2\n"})
    linked = tmp_path / "linked"
    git(repository, "worktree", "add", "-q", str(linked))
    for name in git(repository, "rev-parse", f"{sha}:a.py", "HEAD^{tree}", sha).split():
        path = repository / ".git" / "objects" / name[:2] / name[2:]
        whole = path.read_bytes()
        path.unlink()
        assert isinstance(sentence(repository), GitFailed)
        path.write_bytes(b"garbage")
        assert isinstance(sentence(repository), GitFailed)
        path.write_bytes(whole)
    (repository / ".git" / "refs" / "heads" / "main").write_text("0" * 39 + "1\n")
    assert sentence(repository)
    (repository / ".git").rename(tmp_path / "gone")
    for folder in (repository, linked, repository / "a.py"):
        assert isinstance(sentence(folder), NotARepository)


def test_a_partial_clone_whose_remote_is_gone_is_a_sentence(
    commit: Commit, repository: Path, tmp_path: Path
) -> None:
    commit("one", {"a.py": b"1\n"})
    git(repository, "config", "uploadpack.allowFilter", "true")
    for kind in ("blob:none", "tree:0"):
        clone = tmp_path / kind[:4]
        git(tmp_path, "clone", "-q", "--no-checkout", f"--filter={kind}", f"file://{repository}", str(clone))
        repository.rename(tmp_path / "away")
        assert "is a partial clone" in str(sentence(clone))
        (tmp_path / "away").rename(repository)
        assert collected(clone)[0] == {"one"}


@pytest.mark.parametrize(
    "url", ["https://[::1/x/y.git", "://", "https://", "a:", "[:x/y", "https://h/x/y?a#b"]
)
def test_a_remote_with_an_odd_address_does_no_harm(commit: Commit, repository: Path, url: str) -> None:
    commit("one", {"a.py": b"1\n"})
    git(repository, "config", "remote.origin.url", url)
    assert collect(repository, None, None)["repo"] in ("engine", "x/y")


@pytest.mark.parametrize("program", ["#!/bin/sh\necho hi\n", "#!/bin/sh\nkill $$\n", "no program", "#!/no\n"])
def test_a_program_named_git_that_is_not_git_is_one_sentence(
    commit: Commit, repository: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    commit("one", {"a.py": b"1\n"})
    folder = repository.parent / "bin"
    folder.mkdir()
    (folder / "git").write_text(program)
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    assert "git" in str(sentence(repository))


def test_a_repository_of_another_user_is_a_sentence_with_what_to_do(
    commit: Commit, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit("one", {"a.py": b"1\n"})
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert "git config --global --add safe.directory" in str(sentence(repository))


def test_the_command_says_one_sentence_even_of_a_folder_with_an_odd_name(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)
    til = Path(sys.executable).with_name("til")
    environment = os.environ | {"TIL_URL": "http://127.0.0.1:9", "TIL_KEY": "til_x", "LC_ALL": "C.UTF-8"}
    environment |= {"GIT_CEILING_DIRECTORIES": str(tmp_path)}
    done = subprocess.run(
        [bytes(til), b"submit", folder], check=False, capture_output=True, env=environment, cwd=tmp_path
    )
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1, done.stderr
    assert b"is not in a git repository" in done.stderr
