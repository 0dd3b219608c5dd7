"""The names (functions, classes, ...) that files define: which are new, changed, gone or moved. Pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import re2

from worker.engines.outline.paths import kind_of
from worker.engines.outline.versions import Versions

NAME = r"(?P<name>[A-Za-z_\x80-\xff][\w\x80-\xff]+)"
"""RE2 gets UTF-8 bytes and reads them as Latin-1; all bytes above 0x7f count as letters."""
_END = r"(?: *(?:[{<(:;]|extends\b|implements\b|permits\b|where\b|with\b|on\b|$))"
"""May follow the name of a type."""
_TYPES = r"(?:class|interface|enum|record|struct|object|trait|protocol|actor|mixin|extension)"
_MODIFIERS = (
    r"(?:(?:public|private|protected|internal|static|final|abstract|override|virtual|async|sealed|open|data"
    r"|suspend|inline|partial|readonly|fileprivate|mutating|case|implicit|synchronized|default|native) +)"
)
_METHOD = rf"{_MODIFIERS}+(?:<[^<>\n]+> +)?[\w.<>\[\], ?]+ +{NAME} *\([^;\n]*$"
_EXPORTED = r"(?:export +)?(?:default +)?(?:declare +)?(?:abstract +)?(?:async +)?"
_SCRIPT = (
    rf"{_EXPORTED}function\b *\*? *{NAME} *[<(]|{_EXPORTED}(?:class|interface|(?:const +)?enum) +{NAME}{_END}"
    rf"|{_EXPORTED}type +{NAME} *[=<]|{_EXPORTED}(?:const|let) +{NAME} *(?::[^=\n]+)?= *(?:async *)?"
    r"(?:function\b|\([^()\n]*\) *(?::[^=\n]+)?=>|\w+ *=>)"
    r"|(?:it|test)(?:\.\w+)* *\( *['\"`](?P<name>[^'\"`\n]+)['\"`]"
)
PATTERNS = {
    "Python": rf"(?:async +)?def +{NAME} *[(\[]|class +{NAME} *[(:\[]",
    **dict.fromkeys(("TypeScript", "JavaScript", "Vue", "Svelte"), _SCRIPT),
    "Go": rf"func +(?:\([^()\n]+\) *)?{NAME} *[(\[]"
    rf"|type +{NAME}(?:\[[^\]\n]+\])? +(?:struct|interface|func|map|=|[\w*\[])",
    "Rust": r"(?:pub(?:\([\w: ]+\))? +)?(?:const +|async +|unsafe +|extern +\"C\" +)*"
    rf"(?:fn +{NAME} *[(<]|(?:struct|enum|trait|union) +{NAME}{_END}|type +{NAME} *[=<]|mod +{NAME} *\{{)",
    **dict.fromkeys(("Java", "C#"), rf"{_MODIFIERS}*{_TYPES} +{NAME}{_END}|{_METHOD}"),
    "Kotlin": rf"{_MODIFIERS}*{_TYPES} +{NAME}{_END}"
    rf"|{_MODIFIERS}*fun +(?:<[^<>\n]+> +)?(?:[\w.<>?]+\.)?{NAME} *\(",
    "Scala": rf"{_MODIFIERS}*(?:{_TYPES} +{NAME}|def +{NAME} *[(\[:=])",
    "Swift": rf"(?:@\w+ +)*{_MODIFIERS}*(?:{_TYPES} +{NAME}{_END}|func +{NAME} *[(<])",
    "PHP": rf"{_MODIFIERS}*(?:function +&?{NAME} *\(|(?:class|interface|trait|enum) +{NAME}{_END})",
    "Dart": rf"{_MODIFIERS}*(?:class|mixin|enum|extension) +{NAME}{_END}",
    "Ruby": rf"def +(?:self\.)?{NAME}(?:[?!=(\s;]|$)|(?:class|module) +(?:\w+::)*{NAME} *(?:<|;|$)"
    r"|it +['\"](?P<name>[^'\"\n]+)['\"] +do",
    "Elixir": rf"(?:defp?|defmacrop?) +{NAME}\b|defmodule +(?P<name>[A-Z][\w.]+) +do",
    "C": rf"(?:typedef +)?(?:struct|enum|union) +{NAME} *\{{",
    "C++": rf"(?:template *<[^<>\n]*> *)?(?:class|struct|enum(?: +class)?|union) +{NAME}(?: +final)?"
    r" *(?::[^:;\n]+)?\{",
    "Lua": rf"(?:local +)?function +(?:\w+[.:])?{NAME} *\(",
    "Julia": rf"(?:function|macro|struct|mutable +struct) +{NAME}",
    "Zig": rf"(?:pub +)?(?:export +)?fn +{NAME} *\(",
    "Shell": rf"(?:function +{NAME}|{NAME} *\(\)) *(?:\(\) *)?[{{(]?$",
    "SQL": r"(?i:create +(?:or +replace +)?(?:unique +|materialized +|temp(?:orary)? +)?"
    r"(?:table|view|index|function|procedure|trigger|type) +(?:concurrently +)?(?:if +not +exists +)?)"
    rf"[`\"\[]?(?:\w+\.)?{NAME}",
    "Protocol Buffers": rf"(?:message|enum|service) +{NAME} *\{{|rpc +{NAME} *\(",
    "GraphQL": rf"(?:type|input|enum|interface|union|scalar) +{NAME}\b",
    "Terraform": rf"(?:resource|data) +\"[\w-]+\" +\"{NAME}\"|(?:variable|module|output) +\"{NAME}\"",
}
"""Definitions by language, from the first character of a line that is no space. Each branch may have a group
`name`."""
SPECIAL = re.compile(
    r"__\w+__|if|for|while|switch|catch|return|else|new|throw|main|constructor|self|init|setUp|tearDown"
)
"""Names that say nothing, and keywords."""
LONGEST_NAME, MOST_DEFINITIONS = 80, 20_000
"""`MOST_DEFINITIONS`: in all files of a day, and in one version of a file; far more than a person writes."""
_options = re2.Options()
_options.encoding = re2.Options.Encoding.LATIN1


def _compiled(pattern: str) -> Any:
    """Compile for matching all lines of a file at once. Group names are numbered, as they must be unique."""
    first, *others = pattern.split("(?P<name>")
    numbered = "".join(f"(?P<n{number}>{part}" for number, part in enumerate(others))
    return re2.compile(f"(?m)^[ \\t]*(?:{first}{numbered})".encode(), _options)


DEFINES = {kind: _compiled(pattern) for kind, pattern in PATTERNS.items()}
Key = tuple[str | None, str]
"""The language of a file, and a name in it."""
Definitions = dict[str, list[str]]
"""The lines that define each name, in the order of the file."""


@dataclass(frozen=True)
class Names:
    """How the names that a file defines have changed.

    `found`: the number of definitions; `changed`: the defining line before and after; `signatures`: the
    defining line after the day.
    """

    found: int
    before: set[str]
    new: list[str]
    changed: dict[str, tuple[str, str]]
    gone: list[str]
    signatures: dict[str, str]
    moved: dict[str, str]
    """New here, and gone from the file of that path."""


def definitions(path: str, lines: Sequence[str]) -> Definitions:
    """The definitions in these lines of a file. Linear."""
    pattern, found = DEFINES.get(kind_of(path) or ""), defaultdict[str, list[str]](list)
    if pattern is None:
        return {}
    text = "\n".join(lines).replace("\r", "").encode(errors="replace")
    for match in islice(pattern.finditer(text), 2 * MOST_DEFINITIONS):
        name = match[match.lastindex].decode(errors="replace")
        if len(name) <= LONGEST_NAME and not SPECIAL.fullmatch(name):
            end = text.find(b"\n", match.end(match.lastindex))
            found[name].append(
                text[match.start() : end if end >= 0 else len(text)].decode(errors="replace").strip()
            )
    return dict(found)


def names_of_day(files: Sequence[tuple[str, Versions]]) -> dict[str, Names]:
    """The names by path. A name that is gone from one file and new in one other of its language has moved."""
    names, left = dict[str, Names](), MOST_DEFINITIONS
    for path, versions in files:
        names[path] = _names(path, versions if left > 0 else Versions([], [], False))
        left -= names[path].found
    known = {(kind_of(path), name) for path, one in names.items() for name in one.before}
    gone, new = defaultdict[Key, list[str]](list), Counter[Key]()
    for path, one in names.items():
        for name in one.gone:
            gone[kind_of(path), name].append(path)
        new.update((kind_of(path), name) for name in one.new)
    for path, one in names.items():
        kind = kind_of(path)
        for name in one.new:
            origins = gone[kind, name] if new[kind, name] == 1 else []
            if len(origins) == 1:
                one.moved[name] = origins[0]
        # A name that any file had before is not new.
        one.new[:] = [name for name in one.new if (kind, name) not in known]
        one.gone[:] = [name for name in one.gone if not new[kind, name]]
    return names


def _names(path: str, versions: Versions) -> Names:
    before, after = definitions(path, versions.before), definitions(path, versions.after)
    if max(sum(map(len, one.values())) for one in (before, after)) >= MOST_DEFINITIONS:
        before, after = {}, {}  # Not all were read, so they can't be compared.
    changed = {
        name: (before[name][0], after[name][0])
        for name in after
        if name in before and len(before[name]) == len(after[name]) == 1 and before[name] != after[name]
    }
    return Names(
        found=sum(map(len, before.values())) + sum(map(len, after.values())),
        before=set(before),
        new=[name for name in after if name not in before],
        changed=changed,
        gone=[name for name in before if name not in after],
        signatures={name: lines[0] for name, lines in after.items()},
        moved={},
    )
