"""Replaces the secrets of a request by `[redacted:<kind>]`, before it is hashed, stored or logged."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from til.redaction.find import find, suspicious
from til.redaction.rules import Span
from til.request import ChangedFile, Patch, TilRequest

Kinds = Counter[str]
Redactions = list[dict[str, Any]]
"""`{"kind", "filepath", "count"}` each, as the job shows them."""

PASSES = 8
"""A replacement may bring another secret to light; so often is a text searched at most."""
PLACEHOLDER = re.compile(r"\[redacted:[a-z0-9_]+\]")
CONFIG = re.compile(
    r"(?:^|/)(?:\.env[^/]*|credentials|hosts|Dockerfile[^/]*|Makefile|Jenkinsfile|Procfile"
    r"|\.(?:npmrc|pypirc|netrc|pgpass|my\.cnf|s3cfg|boto|curlrc|wgetrc|gitconfig|(?:bash|zsh)rc|(?:bash_)?profile)"
    r"|[^/]*\.(?:env|ya?ml|ini|cfg|conf|cnf|config|properties|toml|tfvars|c?sh|bash|zsh|fish|ps1|bat|cmd|http|txt"
    r"|md|rst|adoc|mk|service|repo|j2|tmpl|tpl|erb|nmconnection|list|reg|log))$",
    re.IGNORECASE,
)
"""Files whose values have no quotes; in other files, what follows `password =` is an expression."""
TRANSLATION = re.compile(
    r"(?:^|[/._-])(?:locales?|i18n|l10n|lang(?:s|uages?)?|translations?|messages|strings)(?:[/._-]|$)",
    re.IGNORECASE,
)


def redact(request: TilRequest) -> tuple[TilRequest, Redactions]:
    """The request without secrets, and what was taken out.

    `count`: occurrences. `filepath`: as in the returned request; None for `username`, `repo` and `metadata`.
    Texts keep their number of lines and stay within the request's limits: what would become too long is cut.
    The webhook's URL is left as it is, because it has to work. Idempotent.
    """
    if not is_suspicious(request):
        return request, []
    found: defaultdict[str | None, Kinds] = defaultdict(Counter)
    outside = found[None]
    changed = {
        "username": _clean(outside, request.username, limit=200),
        "repo": _clean(outside, request.repo, limit=200),
        "metadata": _metadata(outside, request.metadata),
    }
    paths = _paths(found, [file.filepath for file in request.files])
    files = [_file(found[paths[file.filepath]], file, paths[file.filepath]) for file in request.files]
    redactions = [
        {"kind": kind, "filepath": path, "count": count}
        for path, kinds in found.items()
        for kind, count in kinds.items()
    ]
    return (request.model_copy(update=changed | {"files": files}) if redactions else request), redactions


def is_suspicious(request: TilRequest) -> bool:
    """Whether `redact` might find something; far cheaper than `redact`."""
    return suspicious(_without_placeholders("\n".join(texts(request))))


def texts(request: TilRequest) -> Iterator[str]:
    """Every text of a request that is searched for secrets."""
    yield request.username
    yield request.repo
    for name, value in request.metadata.items():
        yield f"{name}={value}"
    for file in request.files:
        yield file.filepath
        yield file.latest_code
        for patch in file.patches:
            yield patch.commit_message
            yield patch.patch


def _metadata(kinds: Kinds, metadata: dict[str, str]) -> dict[str, str]:
    """Names and values, each value searched as the line `name=value`, as in a `.env` file."""
    clean: dict[str, str] = {}
    for name, value in metadata.items():
        new = _distinct(_clean(kinds, name, limit=64), clean, 64)
        clean[new] = _clean(kinds, value, limit=512, before=f"{new}=")
    return clean


def _paths(found: defaultdict[str | None, Kinds], paths: list[str]) -> dict[str, str]:
    """The redacted form of each path. Different paths stay different, because posts cite them."""
    clean = {path: _clean(Counter(), path, limit=1024) for path in paths}
    taken = {path for path, new in clean.items() if path == new}
    for path, new in clean.items():
        if path != new:
            clean[path] = _distinct(new, taken, 1024)
            taken.add(clean[path])
            _clean(found[clean[path]], path)
    return clean


def _distinct(name: str, taken: Collection[str], limit: int) -> str:
    number, distinct = 1, name
    while distinct in taken:
        number += 1
        distinct = f"{name[: limit - len(str(number)) - 1]}-{number}"
    return distinct


def _file(kinds: Kinds, file: ChangedFile, path: str) -> ChangedFile:
    config = CONFIG.search(path) is not None
    translation = TRANSLATION.search(path) is not None
    code = _clean(kinds, file.latest_code, config, translation=translation)
    patches = [_patch(kinds, patch, config, translation) for patch in file.patches]
    return file.model_copy(update={"filepath": path, "latest_code": code, "patches": patches})


def _patch(kinds: Kinds, patch: Patch, config: bool, translation: bool) -> Patch:
    message = _clean(kinds, patch.commit_message, limit=65_536)
    diff = _clean(kinds, patch.patch, config, is_diff=True, translation=translation)
    return patch.model_copy(update={"commit_message": message, "patch": diff})


def _clean(
    kinds: Kinds,
    text: str,
    config: bool = True,
    limit: int | None = None,
    is_diff: bool = False,
    before: str = "",
    translation: bool = False,
) -> str:
    """The text without secrets, which are counted in `kinds`. `before`: context in front of it that is not
    returned. `config`, `translation`: see `find`.

    Repeated until nothing is found, so that redacting the result, which may have been cut, changes nothing.
    """
    for _ in range(PASSES):
        spans = [
            (max(0, start - len(before)), end - len(before), kind)
            for start, end, kind in find(_without_placeholders(before + text), config, translation)
            if end > len(before)
        ]
        if not spans:
            break
        kinds.update(kind for _, _, kind in spans)
        text = _cut(_replaced(text, spans, is_diff), limit)
    return text


def _cut(text: str, limit: int | None) -> str:
    """At most `limit` characters, without an incomplete placeholder at the end."""
    if limit is None or len(text) <= limit:
        return text
    text, mark = text[:limit], "[redacted:"
    last = text.rfind("[")
    cut_through = "]" not in text[last:] and mark.startswith(text[last : last + len(mark)])
    return text[:last] if last >= 0 and cut_through else text


def _without_placeholders(text: str) -> str:
    """Placeholders replaced by as many line ends, so that offsets stay; no rule matches across them."""
    return PLACEHOLDER.sub(lambda found: "\n" * len(found[0]), text) if "[redacted:" in text else text


def _replaced(text: str, spans: list[Span], is_diff: bool) -> str:
    """The text with placeholders for the spans. A span of many lines keeps its line ends, and in a diff the
    mark of each line."""
    pieces, at = [], 0
    for start, end, kind in spans:
        pieces += [text[at:start], f"[redacted:{kind}]"]
        for line in text[start:end].split("\n")[1:]:
            pieces.append("\n" + (line[:1] if is_diff and line[:1] in ("+", "-", " ") else ""))
        at = end
    return "".join([*pieces, text[at:]])
