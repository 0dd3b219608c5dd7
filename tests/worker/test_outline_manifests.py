"""Points about dependencies and settings compare the file before and after the day."""

from __future__ import annotations

import difflib

import pytest

from tests.worker.outline_days import draft_of, of_changes, texts


def said(path: str, before: str, after: str, code: str | None = None) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    patch = "\n".join(list(lines)[2:]) + "\n"
    request = of_changes((path, "chore: a", patch), code={path: after if code is None else code})
    return [text for text in texts(draft_of(request), "concepts") if f" {path}: " in text]


PYPROJECT = """[project]
name = "mill"
dependencies = ["httpx>=0.27,<1", "old"]

[tool.ruff]
line-length = 100
"""


def test_a_pyproject_tells_dependencies_from_other_lists_and_settings() -> None:
    after = PYPROJECT.replace('0.27,<1", "old"', '0.28,<1", "rich[x]>=14"') + 'select = ["E501"]\n'
    assert said("pyproject.toml", PYPROJECT, after) == [
        "New dependency in pyproject.toml: rich >=14",
        "Version changed in pyproject.toml: httpx >=0.27,<1 → >=0.28,<1",
        "No longer a dependency in pyproject.toml: old",
        "New setting in pyproject.toml: tool.ruff.select",
    ]


@pytest.mark.parametrize(
    ("path", "before", "after", "right"),
    [
        ("package.json", '{\n"dependencies": {\n"a": "^1"\n},\n"version": "1"\n}\n',
         '{\n"dependencies": {\n"a": "^2",\n"b": "1"\n},\n"version": "2"\n}\n',
         ["New dependency in package.json: b 1", "Version changed in package.json: a ^1 → ^2"]),
        ("Cargo.toml", '[dependencies]\nserde = "1"\n', '[dependencies]\nserde = { version = "1.2" }\n',
         ["Version changed in Cargo.toml: serde 1 → 1.2"]),
        ("requirements.txt", "a==1\n", "# a\n-r b.txt\na==2 ; python_version > '3'\nc\nd\n",
         ["New dependencies in requirements.txt: c and d",
          "Version changed in requirements.txt: a ==1 → ==2"]),
        ("go.mod", "module x\n\ngo 1.22\n", "module x\n\ngo 1.22\n\nrequire a.b/c v1.0.0\n",
         ["New dependency in go.mod: a.b/c v1.0.0"]),
        ("Gemfile", "gem 'a'\n", "gem 'a'\ngem 'b', '~> 1'\n", ["New dependency in Gemfile: b ~> 1"]),
        ("Dockerfile", "FROM python:3.11\n", "FROM python:3.12\n",
         ["Version changed in Dockerfile: python 3.11 → 3.12"]),
        (".github/workflows/ci.yml", "  - uses: actions/checkout@v3\n", "  - uses: actions/checkout@v4\n",
         ["Version changed in .github/workflows/ci.yml: actions/checkout v3 → v4"]),
        (".env.example", "A_B=1\n", "A_B=1\nB_C=2\n", ["New setting in .env.example: B_C"]),
        ("data.json", '{"a": 1}\n', '{"a": 1, "b": 2}\n', []),
        ("broken.toml", "a = 1\n", "a = = 1\n", []),
        ("deep.toml", "a = 1\n", "a = " + "[" * 5000 + "\n", []),
    ],
)  # fmt: skip
def test_a_manifest_is_read_by_its_kind(path: str, before: str, after: str, right: list[str]) -> None:
    assert said(path, before, after) == right


def test_without_the_newest_code_only_what_is_surely_a_dependency_is_told() -> None:
    before, after = PYPROJECT.replace(", ", ",\n"), PYPROJECT.replace("0.27", "0.28").replace(", ", ",\n")
    before = before.replace("[project]\n", '"x",\n').replace('"httpx', '\n"httpx')
    after = after.replace("[project]\n", '"y",\n').replace('"httpx', '\n"httpx')
    assert said("pyproject.toml", before, after, code="") == [
        "Version changed in pyproject.toml: httpx >=0.27,<1 → >=0.28,<1"
    ]
