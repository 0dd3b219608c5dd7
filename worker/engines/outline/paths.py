"""What a path tells of a file: its language or format, whether it is a test, its top folder. Pure."""

from __future__ import annotations

import re

KINDS = {
    "py": "Python", "pyi": "Python", "ts": "TypeScript", "tsx": "TypeScript", "mts": "TypeScript",
    "cts": "TypeScript", "js": "JavaScript", "jsx": "JavaScript", "mjs": "JavaScript", "cjs": "JavaScript",
    "vue": "Vue", "svelte": "Svelte", "java": "Java", "kt": "Kotlin", "kts": "Kotlin", "scala": "Scala",
    "go": "Go", "rs": "Rust", "c": "C", "h": "C", "cc": "C++", "cpp": "C++", "cxx": "C++", "hpp": "C++",
    "cs": "C#", "swift": "Swift", "rb": "Ruby", "php": "PHP", "ex": "Elixir", "exs": "Elixir",
    "hs": "Haskell",
    "lua": "Lua", "dart": "Dart", "r": "R", "jl": "Julia", "zig": "Zig", "sql": "SQL", "sh": "Shell",
    "bash": "Shell", "zsh": "Shell", "ps1": "PowerShell", "html": "HTML", "css": "CSS", "scss": "SCSS",
    "md": "Markdown", "markdown": "Markdown", "mdx": "Markdown", "rst": "reStructuredText", "yml": "YAML",
    "yaml": "YAML", "toml": "TOML", "json": "JSON", "xml": "XML", "tf": "Terraform",
    "proto": "Protocol Buffers",
    "graphql": "GraphQL", "ipynb": "Jupyter",
}  # fmt: skip
NAMED = {"dockerfile": "Dockerfile", "makefile": "Makefile", "gemfile": "Ruby", "rakefile": "Ruby"}
NO_CODE = {"Markdown", "reStructuredText", "YAML", "TOML", "JSON", "XML", "HTML", "CSS", "SCSS", "Jupyter"}
TEST = re.compile(
    r"(^|/)(tests?|__tests__|specs?|e2e)/"
    r"|(^|/)(test_[^/]*|[^/]*_test|[^/]*_spec|[^/]*\.(test|spec|cy)|[^/]*[a-z0-9]Tests?|conftest)\.\w+$"
)


def kind_of(path: str) -> str | None:
    """The language or format, by the file's name; None: unknown."""
    name = path.rsplit("/", 1)[-1].lower()
    return NAMED.get(name) or KINDS.get(name.rpartition(".")[2] if "." in name else "")


def is_test(path: str) -> bool:
    """Whether the file holds tests, by the usual names of folders and files."""
    return TEST.search(path) is not None


def is_code(path: str) -> bool:
    """Whether the file is a program, and no test."""
    kind = kind_of(path)
    return kind is not None and kind not in NO_CODE and not is_test(path)


def area_of(path: str) -> str | None:
    """The top folder of the repository that holds the file; None: the file is at the top itself."""
    top, found, _ = path.partition("/")
    return top if found and top else None
