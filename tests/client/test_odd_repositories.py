"""Whatever state a repository is in: its commits are read, or one sentence says why not."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from pathlib import Path

import pytest
from til_client.commits import collect
from til_client.git import CollectError, GitFailed, NoCommits, NotARepository

from tests.client.repositories import Commit, git

TODAY = datetime.date(2025, 4, 24)


def collected(folder: Path, date: datetime.date | None = None) -> tuple[set[str], list[str]]:
    """The messages of the commits that were found, and what was said."""
    said: list[str] = []
    body = collect(folder, date, None, said.append)
    return {patch["commit_message"] for file in body["files"] for patch in file["patches"]}, said


def sentence(folder: Path, date: datetime.date | None = None) -> CollectError:
    with pytest.raises(CollectError) as refused:
        collect(folder, date, None)
    assert "\n" not in str(refused.value)
    return refused.value


@pytest.mark.parametrize("wrong", ["2001-01-01T00:00:00Z", "2098-01-01T00:00:00Z", "1970-01-01T00:00:00Z"])
def test_a_commit_with_a_wrong_clock_hides_no_other(commit: Commit, repository: Path, wrong: str) -> None:
    commit("one", {"a.py": b"1\n"})
    commit("wrong", {"a.py": b"2\n"}, wrong)
    assert collected(repository)[0] == {"one"}
    commit("two", {"a.py": b"3\n"})
    assert collected(repository)[0] == collected(repository, TODAY)[0] == {"one", "two"}
    assert collected(repository, datetime.date.fromisoformat(wrong[:10]))[0] == {"wrong"}


def test_where_every_clock_is_wrong_the_earliest_day_is_taken(commit: Commit, repository: Path) -> None:
    for day in ("2097-01-01", "2098-01-01"):
        commit(day, {"a.py": day.encode()}, f"{day}T00:00:00Z")
    assert collected(repository)[0] == {"2097-01-01"}


@pytest.mark.parametrize("stamp", ["", "99999999999999999999 +0000", "253402300800 +0000", "1 +9999"])
def test_a_commit_whose_date_is_broken_is_passed_over(commit: Commit, repository: Path, stamp: str) -> None:
    commit("good", {"a.py": b"1\n"})
    tree, parent = git(repository, "rev-parse", "HEAD^{tree}", "HEAD").split()
    who = f"ada <a@b> {stamp}".strip()
    raw = f"tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\nbroken\n"
    command = ["git", "hash-object", "-t", "commit", "-w", "--stdin", "--literally"]
    made = subprocess.run(command, cwd=repository, input=raw.encode(), check=True, capture_output=True)
    git(repository, "reset", "-q", "--hard", made.stdout.decode().strip())
    assert collected(repository)[0] == {"good"}


def test_the_extremes_of_the_calendar_are_days_without_commits(commit: Commit, repository: Path) -> None:
    commit("one", {"a.py": b"1\n"})
    for day in (datetime.date.min, datetime.date.max, datetime.date(1969, 12, 31)):
        assert isinstance(sentence(repository, day), NoCommits)


def test_what_a_shallow_clone_lacks_is_not_told_as_the_days_work(
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


def test_paths_that_are_no_utf8_stay_apart(commit: Commit, repository: Path) -> None:
    names = [b"caf\xe9.py", b"caf\xe8.py", b"\xff", b"\xfe", "caf\u00e9.py".encode(), b'q"\xe9\n.py']
    for name in names:
        Path(os.fsdecode(bytes(repository) + b"/" + name)).write_bytes(name + b"\n")
    commit("names", {})
    paths = [file["filepath"] for file in collect(repository, None, None)["files"]]
    assert len(set(paths)) == len(names)
    assert {"caf\\351.py", "caf\\350.py", "caf\u00e9.py"} <= set(paths)
    assert all(path.encode() for path in paths)


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


def test_a_submodule_a_link_and_a_changed_mode_are_read(commit: Commit, repository: Path) -> None:
    commit("one", {"a.sh": b"1\n"})
    (repository / "link").symlink_to("a.sh")
    (repository / "a.sh").chmod(0o755)
    head = git(repository, "rev-parse", "HEAD")
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{head},sub")
    git(repository, "commit", "-qam", "two", GIT_COMMITTER_DATE="2025-04-24T12:00:00+0900")
    git(repository, "add", "link")
    git(repository, "commit", "-qm", "three", GIT_COMMITTER_DATE="2025-04-24T13:00:00+0900")
    assert collected(repository)[0] == {"one", "two", "three"}


def test_odd_authors_and_messages_are_read(commit: Commit, repository: Path) -> None:
    date = {"GIT_COMMITTER_DATE": "2025-04-24T12:00:00+0900"}
    (repository / "a.py").write_bytes(b"1\n")
    git(repository, "add", "-A")
    message = repository.parent / "message"
    message.write_bytes("caf\u00e9".encode("latin-1"))
    latin = ["-c", "i18n.commitEncoding=latin1", "commit", "-q", "-F", str(message)]
    git(repository, *latin, GIT_AUTHOR_NAME=os.fsdecode(b"Ren\xe9e"), **date)
    (repository / "a.py").write_bytes(b"2\n")
    git(repository, "commit", "-qa", "--allow-empty-message", "-m", "", **date)
    git(repository, "commit", "-q", "--allow-empty", "-m", "nothing changed", **date)
    assert collected(repository)[0] == {"caf\u00e9", ""}


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
