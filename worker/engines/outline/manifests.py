"""Dependencies with their versions, and keys of settings, in the files of a day. Pure."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.engines.outline.versions import Versions

Pins = dict[str, str]
"""Dependencies: the required version by name, "" if none is given."""
Read = Callable[[str, Versions, Sequence[str]], Pins | None]
REQUIREMENT = re.compile(
    r"\s*([A-Za-z0-9][\w.-]*)(?:\[[\w,. -]*\])?\s*((?:[<>=!~]=?|===?)[^;#]*)?(?:[;#].*)?$"
)
LINES = (
    (r"(^|/)((requirements|constraints)[^/]*|requirements/[^/]+)\.(txt|in)$", REQUIREMENT.pattern),
    (r"(^|/)go\.mod$", r"\s*(?:require\s+)?([\w-]+\.[\w./-]+)\s+(v\d\S*)"),
    (r"(^|/)Gemfile$", r"\s*gem\s+[\"']([\w-]+)[\"'](?:\s*,\s*[\"']([^\"']+)[\"'])?"),
    (r"\.gradle(\.kts)?$", r"\s*\w*(?:[iI]mplementation|[aA]pi|[oO]nly)\W+([\w.-]+:[\w.-]+):([\w.-]+)"),
    (r"(^|/)([\w.-]+\.)?Dockerfile(\.[\w-]+)?$", r"FROM\s+(?:--\S+\s+)?([\w./-]+)(?::([\w.-]+))?"),
    (r"^\.github/workflows/[^/]+\.ya?ml$", r"\s*-?\s*uses:\s*([\w.-]+/[\w./-]+)@([\w.-]+)"),
)
"""Files, by path, that can be read line by line."""
FRAGMENTS = (
    (
        r"(^|/)pyproject\.toml$",
        r"\s*\"([A-Za-z0-9][\w.-]*)(?:\[[\w,.-]+\])?\s*((?:[<>=!~]=?|===)[^\";]*)[^\"]*\",?$",
    ),
    (r"(^|/)package\.json$", r"\s*\"([@\w./-]+)\":\s*\"([~^][^\"]+)\",?$"),
)
"""For files of which only hunks are known: these lines can be read without the rest of the file."""
JSON_TABLES = (
    *("dependencies", "devDependencies", "peerDependencies", "optionalDependencies"),
    *("require", "require-dev"),
)
TOML_TABLES = ("dependencies", "dev-dependencies", "build-dependencies")
SETTINGS = re.compile(
    r"(^|/)((package|composer)\.json|tsconfig[^/]*\.json|[^/]*\.config\.json|\.[\w-]+rc(\.json)?|[^/]+\.toml)$"
)
ENVIRONMENT = re.compile(r"(^|/)[^/]*\.env[^/]*$")
VARIABLE = re.compile(r"\s*(?:export\s+)?([A-Z][A-Z0-9_]+)=")
LONGEST_READ, LONGEST_LINE = 65_536, 300
DEEPEST_KEY, LONGEST_KEY = 3, 80


@dataclass(frozen=True)
class Pinned:
    """The dependencies of a file that are new, have another version, or are gone."""

    new: list[str]
    changed: list[str]
    gone: list[str]


def pinned(path: str, versions: Versions) -> Pinned:
    """The changes of a manifest's dependencies over the day; none for other files."""
    both = _both(path, versions, _pins)
    before, after = both if both else ({}, {})
    return Pinned(
        new=[_with_version(name, version) for name, version in after.items() if name not in before],
        changed=[
            f"{name} {before[name]} → {version}"
            for name, version in after.items()
            if version and before.get(name) and before[name] != version
        ],
        gone=[name for name in before if name not in after],
    )


def new_keys(path: str, versions: Versions) -> list[str]:
    """The new keys of a settings file, without keys inside a new one; none if the file itself is new."""
    both = _both(path, versions, _keys)
    if both is None or not both[0]:
        return []
    before, after = both
    new = [key for key in after if key not in before and key.rpartition(".")[0] in {"", *before}]
    return [key for key in new if len(key) <= LONGEST_KEY]


def _with_version(name: str, version: str) -> str:
    return f"{name} {version}" if version else name


def _both(path: str, versions: Versions, read: Read) -> tuple[Pins, Pins] | None:
    before, after = read(path, versions, versions.before), read(path, versions, versions.after)
    return None if before is None or after is None else (before, after)


def _pins(path: str, versions: Versions, lines: Sequence[str]) -> Pins | None:
    for names, pattern in LINES if versions.whole else (*LINES, *FRAGMENTS):
        if re.search(names, path):
            found = (re.match(pattern, line.rstrip("\r")) for line in lines if len(line) < LONGEST_LINE)
            return {match[1]: (match[2] or "").strip() for match in found if match}
    tables = _parsed(path, lines) if versions.whole and path.endswith((".json", ".toml")) else None
    return None if tables is None else dict(_of_toml(tables) if path.endswith(".toml") else _of_json(tables))


def _parsed(path: str, lines: Sequence[str]) -> dict[str, Any] | None:
    """The parsed file; None if it is invalid or too long. An empty file is an empty table."""
    text = "\n".join(lines)
    if len(text) > LONGEST_READ:
        return None
    try:
        value = tomllib.loads(text) if path.endswith(".toml") else json.loads(text or "{}")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _of_json(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for table in JSON_TABLES:
        for name, version in _table(value, table).items():
            yield name, version if isinstance(version, str) else ""


def _of_toml(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The dependencies of a `pyproject.toml` or `Cargo.toml`: lists of requirements, tables of versions."""
    project = _table(value, "project")
    lists = [project.get("dependencies"), _table(value, "build-system").get("requires")]
    lists += [
        *_table(project, "optional-dependencies").values(),
        *_table(value, "dependency-groups").values(),
    ]
    for requirement in (one for listed in lists if isinstance(listed, list) for one in listed):
        if isinstance(requirement, str) and (match := REQUIREMENT.match(requirement)):
            yield match[1], (match[2] or "").strip()
    poetry = _table(value, "tool", "poetry")
    holders = [value, _table(value, "workspace"), *_table(value, "target").values()]
    holders += [poetry, *_table(poetry, "group").values()]
    for holder in holders:
        for name in TOML_TABLES if isinstance(holder, dict) else ():
            for dependency, version in _table(holder, name).items():
                required = version.get("version", "") if isinstance(version, dict) else version
                yield dependency, required if isinstance(required, str) else ""


def _table(value: Mapping[str, Any], *names: str) -> dict[str, Any]:
    found: Any = value
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _keys(path: str, versions: Versions, lines: Sequence[str]) -> Pins | None:
    if ENVIRONMENT.search(path):
        return {match[1]: "" for line in lines if (match := VARIABLE.match(line))}
    value = _parsed(path, lines) if versions.whole and SETTINGS.search(path) else None
    return None if value is None else dict.fromkeys(_flat(value, ""), "")


def _flat(value: dict[str, Any], above: str, depth: int = 1) -> Iterator[str]:
    for name, inner in value.items():
        if name not in (*JSON_TABLES, *TOML_TABLES, "dependency-groups", "optional-dependencies"):
            yield f"{above}{name}"
            if isinstance(inner, dict) and depth < DEEPEST_KEY:
                yield from _flat(inner, f"{above}{name}.", depth + 1)
