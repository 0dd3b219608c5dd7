"""Commits as they are: wrong clocks, odd names and messages, any path and any line."""

from __future__ import annotations

import datetime
import os
import subprocess
import unicodedata
from pathlib import Path

import pytest
from til_client.commits import collect
from til_client.git import NoCommits

from tests.client.repositories import DAY, Commit, collected, git, sentence

TODAY = datetime.date(2025, 4, 24)


@pytest.mark.parametrize("wrong", ["2001-01-01T00:00:00Z", "2098-01-01T00:00:00Z", "1970-01-01T00:00:00Z"])
def test_a_commit_with_a_wrong_clock_hides_no_other(commit: Commit, repository: Path, wrong: str) -> None:
    commit("one", {"a.py": b"1\n"})
    commit("wrong", {"a.py": b"2\n"}, wrong)
    assert collected(repository)[0] == {"one"}
    commit("two", {"a.py": b"3\n"})
    assert collected(repository)[0] == collected(repository, TODAY)[0] == {"one", "two"}
    assert collected(repository, datetime.date.fromisoformat(wrong[:10]))[0] == {"wrong"}


def test_patches_are_in_the_order_of_the_commits_whatever_their_clocks_said(
    commit: Commit, repository: Path
) -> None:
    commit("one", {"a.py": b"1\n"}, "2025-04-24T10:00:00Z")
    git(repository, "checkout", "-qb", "side")
    commit("two", {"a.py": b"2\n"}, "2025-04-24T09:00:00Z")
    git(repository, "checkout", "-q", "main")
    commit("three", {"b.py": b"3\n"}, "2025-04-24T11:00:00Z")
    git(repository, "merge", "-q", "-m", "m", "side", GIT_COMMITTER_DATE="2025-04-24T12:00:00Z")
    (a, _) = sorted(collect(repository, None, None)["files"], key=lambda file: str(file["filepath"]))
    assert [patch["commit_message"] for patch in a["patches"]] == ["one", "two"]
    assert a["latest_code"] == "2\n"


def test_an_author_is_found_in_either_form_of_unicode(commit: Commit, repository: Path) -> None:
    name = "\uae40\ucca0\uc218"
    (repository / "a.py").write_bytes(b"1\n")
    git(repository, "add", "-A")
    decomposed = unicodedata.normalize("NFD", name)
    git(repository, "commit", "-qm", "one", GIT_AUTHOR_NAME=decomposed, GIT_COMMITTER_DATE=DAY)
    for author in (name, decomposed, "ADA@"):
        assert collect(repository, None, author)["files"]
    with pytest.raises(NoCommits):
        collect(repository, None, "\uae40\ucca0\uc21c")


def test_a_picture_in_base64_hides_no_other_line_of_a_patch(commit: Commit, repository: Path) -> None:
    def notebook(picture: bytes, value: bytes) -> bytes:
        return b'"png": "' + picture * 20_000 + b'"\n' + b"1\n" * 20 + b"x = " + value + b"\n"

    commit("one", {"a.ipynb": notebook(b"iVBORw", b"5")}, "2025-04-23T12:00:00Z")
    commit("two", {"a.ipynb": notebook(b"iVBORx", b"6")})
    (file,) = collect(repository, None, None)["files"]
    patch = file["patches"][0]["patch"]
    assert patch.endswith("-x = 5\n+x = 6\n")
    assert patch.count(" (a line of 120011 bytes)\n") == 2
    assert len(patch) < 2000


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


def test_paths_that_are_no_utf8_stay_apart(commit: Commit, repository: Path) -> None:
    names = [b"caf\xe9.py", b"caf\xe8.py", b"\xff", b"\xfe", "caf\u00e9.py".encode(), b'q"\xe9\n.py']
    names += [b"caf\\351.py", b"caf\\\\351.py", b"\\\xe9", b"\\\\\xe9", b"a\\b.py", b'"caf\\351.py"']
    for name in names:
        Path(os.fsdecode(bytes(repository) + b"/" + name)).write_bytes(name + b"\n")
    commit("names", {})
    paths = [file["filepath"] for file in collect(repository, None, None)["files"]]
    assert len(set(paths)) == len(names)
    assert {"caf\\351.py", "caf\\350.py", "caf\u00e9.py", "caf\\\\351.py", "a\\b.py"} <= set(paths)
    assert all(path.encode() for path in paths)


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
