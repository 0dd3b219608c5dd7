"""Secrets leave a request before it is hashed, stored or logged; `[redacted:<kind>]` is in their place."""

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
PLACEHOLDER = re.compile(r"\[redacted:[a-z0-9_]+\]")
CONFIG = re.compile(
    r"(?:^|/)(?:\.env[^/]*|credentials|hosts|Dockerfile[^/]*|Makefile|Jenkinsfile|Procfile"
    r"|\.(?:npmrc|pypirc|netrc|pgpass|my\.cnf|s3cfg|boto|curlrc|wgetrc|gitconfig|(?:bash|zsh)rc|(?:bash_)?profile)"
    r"|[^/]*\.(?:env|ya?ml|ini|cfg|conf|cnf|config|properties|toml|tfvars|c?sh|bash|zsh|fish|ps1|bat|cmd|http|txt"
    r"|md|rst|adoc|mk|service|repo|j2|tmpl|tpl|erb|nmconnection|list|reg|log))$",
    re.IGNORECASE,
)
"""Files in which a value stands without quotes; elsewhere, what follows `password =` is an expression."""
TRANSLATION = re.compile(
    r"(?:^|[/._-])(?:locales?|i18n|l10n|lang(?:s|uages?)?|translations?|messages|strings)(?:[/._-]|$)",
    re.IGNORECASE,
)


def redact(request: TilRequest) -> tuple[TilRequest, Redactions]:
    """The request without secrets, and what was taken out.

    `count` is the number of places; `filepath` is as the returned request has it, None for `username`, `repo`
    and `metadata`. Texts keep their number of lines and stay within the request's limits (what would grow too
    long is cut). The webhook's URL is left as it is: it must work. Redacting once more changes nothing.
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
    """Whether `redact` might find something: far cheaper."""
    return suspicious(_without_placeholders("\n".join(texts(request))))


def texts(request: TilRequest) -> Iterator[str]:
    """Every text of a request in which a secret might stand."""
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
    """A value is judged with its name before it, as in a line of a `.env` file."""
    clean: dict[str, str] = {}
    for name, value in metadata.items():
        new = _distinct(_clean(kinds, name, limit=64), clean, 64)
        clean[new] = _clean(kinds, value, limit=512, before=f"{new}=")
    return clean


def _paths(found: defaultdict[str | None, Kinds], paths: list[str]) -> dict[str, str]:
    """What each path becomes. Different ones stay different, for points cite them."""
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
    words = TRANSLATION.search(path) is not None
    code = _clean(kinds, file.latest_code, config, words=words)
    patches = [_patch(kinds, patch, config, words) for patch in file.patches]
    return file.model_copy(update={"filepath": path, "latest_code": code, "patches": patches})


def _patch(kinds: Kinds, patch: Patch, config: bool, words: bool) -> Patch:
    message = _clean(kinds, patch.commit_message, limit=65_536)
    diff = _clean(kinds, patch.patch, config, is_diff=True, words=words)
    return patch.model_copy(update={"commit_message": message, "patch": diff})


def _clean(
    kinds: Kinds,
    text: str,
    config: bool = True,
    limit: int | None = None,
    is_diff: bool = False,
    before: str = "",
    words: bool = False,
) -> str:
    """The text without secrets, which are counted in `kinds`. `before` is context that is not returned;
    `words` as in `find`.

    What is found is replaced until nothing is: so the outcome is a fixed point, also where it was cut.
    """
    for _ in range(PASSES):
        spans = [
            (max(0, start - len(before)), end - len(before), kind)
            for start, end, kind in find(_without_placeholders(before + text), config, words)
            if end > len(before)
        ]
        if not spans:
            break
        kinds.update(kind for _, _, kind in spans)
        text = _cut(_replaced(text, spans, is_diff), limit)
    return text


def _cut(text: str, limit: int | None) -> str:
    """At most `limit` characters, without a part of a placeholder at their end."""
    if limit is None or len(text) <= limit:
        return text
    text, mark = text[:limit], "[redacted:"
    last = text.rfind("[")
    cut_through = "]" not in text[last:] and mark.startswith(text[last : last + len(mark)])
    return text[:last] if last >= 0 and cut_through else text


def _without_placeholders(text: str) -> str:
    """Line ends in their place: no rule reaches across one, and every offset stays."""
    return PLACEHOLDER.sub(lambda found: "\n" * len(found[0]), text) if "[redacted:" in text else text


def _replaced(text: str, spans: list[Span], is_diff: bool) -> str:
    """A secret of many lines leaves its lines, each with its mark where the text is a diff."""
    pieces, at = [], 0
    for start, end, kind in spans:
        pieces += [text[at:start], f"[redacted:{kind}]"]
        for line in text[start:end].split("\n")[1:]:
            pieces.append("\n" + (line[:1] if is_diff and line[:1] in ("+", "-", " ") else ""))
        at = end
    return "".join([*pieces, text[at:]])
