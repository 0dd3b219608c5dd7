"""What a server's refusal means, by its status and its words."""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from base.retry_after import retry_after_seconds
from worker.engines import EngineBusy, EngineFailed, EngineRefused, InputTooLarge

BUSY = frozenset({429, 503, 529})
PASSING = frozenset({408, 409, 425})
"""Refusals that are no fault of the call; every other 5xx is one too."""
OPERATORS = frozenset({401, 402, 403, 404, 405, 407, *range(300, 400)})
"""Refusals that a wrong address, key or model brings about."""
TOO_LARGE = 413
VAGUE = frozenset({None, 400, 413, 422, 500})
"""Statuses under which servers say that a prompt is too long."""
WORDS = {
    "context_length": TOO_LARGE, "exceed_context": TOO_LARGE, "request_too_large": TOO_LARGE,
    "rate_limit": 429, "resource_exhausted": 429, "insufficient_quota": 429, "too_many_requests": 429,
    "overloaded": 529, "unavailable": 503,
    "invalid_api_key": 401, "authentication": 401, "permission": 403,
    "model_not_found": 404, "not_found": 404,
    "server_error": 500, "internal": 500, "timeout": 504,
    "invalid_request": 400, "badrequest": 400, "bad_request": 400,
}  # fmt: skip
"""What the `code` and the `type` of an error say, as parts of words, where there is no status."""
TOO_LONG = re.compile(
    r"(?:context|prompt|input|token)s?\b.{0,80}\b(?:length|long|exceed\w*|window|limit|size)\b"
    r".{0,200}\b(?:token|context|long|exceed)|too many (?:input )?tokens|prompt is too long",
    re.IGNORECASE | re.DOTALL,
)
LONGEST_SAID = 300
ADDRESSES = re.compile(
    r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>)\]]+"
    r"|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"
    r"|\[?\b[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}\b\]?(?::\d+)?"
    r"|\blocalhost\b(?::\d+)?"
    r"|\b[\w-]+(?:\.[\w-]+)*:\d{2,5}\b"
    r"|\b(?:[a-z0-9-]+\.)+[a-z]{2,}\b(?!\()"
    r"|(?<![\w/])/[\w.-]+(?:/[\w.-]+)+",
    re.IGNORECASE,
)
"""Addresses of the network, names of hosts and paths of files."""
KEYS = re.compile(r"\b(?:sk|pk|key|org|proj|gsk|hf|xai|AIza|Bearer)[-_ ][\w*.-]{6,}|\b[\w*-]{32,}")


@dataclass(frozen=True)
class Said:
    """The words of a server's error; `status` where the error itself has one."""

    message: str
    kind: str = ""
    status: int | None = None


def said_by(error: Any) -> Said:
    """The words of an `error` as servers shape it: an object, a text, or a list of either."""
    if isinstance(error, list) and error:
        error = error[0]
    if not isinstance(error, dict):
        return Said("" if error is None else str(error))
    inner = error.get("error") or error.get("detail")
    if inner and inner is not True:
        return said_by(inner)
    codes = [error.get(name) for name in ("code", "status", "status_code")]
    status = next((int(str(c)) for c in codes if re.fullmatch("[345][0-9][0-9]", str(c))), None)
    kind = " ".join(str(error.get(name) or "") for name in ("code", "type", "status"))
    return Said(str(error.get("message") or error.get("msg") or ""), kind.lower(), status)


def said_in(body: bytes) -> Said:
    """The words of an answer that is an error as a whole; those of a page are not repeated."""
    text = body.decode("utf-8", "replace").strip()
    try:
        return said_by(json.loads(text))
    except (ValueError, RecursionError):
        return Said("" if text.startswith("<") else text)


def refused(status: int | None, said: Said, after_seconds: float | None = None) -> Exception:
    """What to raise for a refusal. Where the status is missing or says little, the words decide."""
    status = _status(status or said.status, said)
    words = said.message.strip()[: 4 * LONGEST_SAID]
    told = f": {clean}" if (clean := without_addresses(words)) else "."
    if status == TOO_LARGE:
        return InputTooLarge(f"The model's server finds the prompt too large{told}")
    if status in BUSY:
        return EngineBusy(f"The model's server takes no more calls at the moment ({status}){told}", words,
                          after_seconds)  # fmt: skip
    if status in PASSING or status >= 500:
        return EngineFailed(f"The model's server failed ({status}){told}", words)
    return EngineRefused(f"The model's server refused the call ({status}){told}", words, status in OPERATORS)


def _status(status: int | None, said: Said) -> int:
    by_words = next((found for word, found in WORDS.items() if word in said.kind), None)
    too_long = by_words == TOO_LARGE or (by_words not in BUSY and TOO_LONG.search(said.message[:2000]))
    if too_long and status in VAGUE:
        return TOO_LARGE
    return (by_words or status or 500) if status in (None, 400) else status


def without_addresses(text: str) -> str:
    """The words on one line, cut, without what only the operator is to know."""
    clean = KEYS.sub("[key]", ADDRESSES.sub("[address]", " ".join(text.split())))
    return clean if len(clean) <= LONGEST_SAID else f"{clean[:LONGEST_SAID]}…"


def told_to_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait; a date counts from the server's own, where it tells it."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    if "retry-after" not in headers:
        return None
    try:
        now = parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        now = datetime.datetime.now(datetime.UTC)
    now = now if now.tzinfo else now.replace(tzinfo=datetime.UTC)
    return retry_after_seconds(headers["retry-after"], now) or None
