"""A day's commits, read from real repositories."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from til_client.commits import collect
from til_client.git import CollectError, GitMissing, NoCommits, NotARepository

from tests.client.repositories import DAY, Commit, git
from til.request import TilRequest


def read(folder: Path, date: datetime.date | None = None, author: str | None = None) -> TilRequest:
    return TilRequest.model_validate(collect(folder, date, author))


def test_a_day_is_its_files_with_their_patches_oldest_first(repository: Path, commit: Commit) -> None:
    first = commit("feat: a mill\n\nIt turns.", {"src/mill.py": b"a = 1\n"})
    second = commit("fix: faster", {"src/mill.py": b"a = 2\n", "README.md": b"# Mill\n"})
    git(repository, "remote", "add", "origin", "git@example.com:ada/engine.git")
    request = read(repository)
    assert (request.username, request.repo, request.date.isoformat()) == ("ada", "ada/engine", "2025-04-24")
    files = {file.filepath: file for file in request.files}
    assert files.keys() == {"src/mill.py", "README.md"}
    mill = files["src/mill.py"]
    assert mill.latest_code == "a = 2\n"
    assert [patch.sha for patch in mill.patches] == [first, second]
    assert mill.patches[0].commit_message.startswith("feat: a mill\n\nIt turns.")
    assert "-a = 1\n+a = 2\n" in mill.patches[1].patch


def test_only_commits_of_the_wanted_day_and_author_are_read(repository: Path, commit: Commit) -> None:
    commit("old", {"old.py": b"1\n"}, "2025-04-23T23:59:00+0900")
    commit("new", {"new.py": b"1\n"})
    assert [file.filepath for file in read(repository).files] == ["new.py"]
    assert [file.filepath for file in read(repository, datetime.date(2025, 4, 23)).files] == ["old.py"]
    for nothing in ((datetime.date(2025, 4, 22), None), (None, "bob")):
        with pytest.raises(NoCommits):
            collect(repository, *nothing)


def test_a_removed_file_a_renamed_one_and_odd_names(repository: Path, commit: Commit) -> None:
    names = ["with space.py", "한글.py", 'quo"te.py', "tab\there.py"]
    commit("all", {"gone.py": b"x\n", "before.py": b"one\ntwo\nthree\n"} | dict.fromkeys(names, b"y\n"))
    git(repository, "mv", "before.py", "after.py")
    commit("move", {"gone.py": None})
    files = {file.filepath: file.latest_code for file in read(repository).files}
    assert files["gone.py"] == ""
    assert files["after.py"] == "one\ntwo\nthree\n"
    assert set(names) <= files.keys()


def test_binary_files_are_left_out_and_other_encodings_do_no_harm(repository: Path, commit: Commit) -> None:
    commit("mixed", {"a.png": b"\x89PNG\x00\x01", "latin.txt": "caf\xe9\n".encode("latin-1"), "b.py": b"1\n"})
    files = {file.filepath: file.latest_code for file in read(repository).files}
    assert files.keys() == {"latin.txt", "b.py"}
    assert files["latin.txt"] == "caf\ufffd\n"


def test_a_merge_is_not_a_commit_of_its_own(repository: Path, commit: Commit) -> None:
    commit("base", {"a.py": b"1\n"})
    git(repository, "checkout", "-qb", "side")
    commit("side", {"b.py": b"1\n"})
    git(repository, "checkout", "-q", "main")
    commit("main", {"c.py": b"1\n"})
    git(
        repository,
        "merge",
        "-q",
        "--no-ff",
        "-m",
        "merged",
        "side",
        GIT_AUTHOR_DATE=DAY,
        GIT_COMMITTER_DATE=DAY,
    )
    messages = {patch.commit_message.strip() for file in read(repository).files for patch in file.patches}
    assert messages == {"base", "side", "main"}


def test_a_huge_day_is_cut_to_the_apis_limit(repository: Path, commit: Commit) -> None:
    line = b"x = 'some quite ordinary line of code'\n"
    commit("huge", {f"f{n}.py": line * 3000 for n in range(60)})
    body = collect(repository, None, None)
    request = TilRequest.model_validate(body)
    assert len(request.files) == 60
    assert len(request.model_dump_json().encode()) < 4 * 1024 * 1024


def test_what_can_not_be_read_is_one_sentence(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NoCommits):
        collect(repository, None, None)
    outside = tmp_path / "outside"
    outside.mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for folder in (outside, tmp_path / "nowhere"):
        with pytest.raises(NotARepository):
            collect(folder, None, None)
    monkeypatch.setenv("PATH", str(outside))
    with pytest.raises(GitMissing) as missing:
        collect(repository, None, None)
    assert isinstance(missing.value, CollectError)
    assert "\n" not in str(missing.value)
