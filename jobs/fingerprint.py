"""By what two requests are told apart: hashes over their canonical JSON. Pure."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from til.request import TilRequest


def digest(text: str) -> bytes:
    """SHA-256 of canonical JSON: for what holds no secrets, as anybody can compute it."""
    return hashlib.sha256(text.encode()).digest()


def request_mac(key: bytes, request: TilRequest) -> bytes:
    """HMAC-SHA-256 of a request before its redaction: so two that differ only in a secret are two.

    Without the tenant's key nobody can try which secret it was.
    """
    return hmac.digest(key, canonical(as_sent(request)).encode(), "sha256")


def as_sent(request: TilRequest) -> dict[str, Any]:
    """The request without its defaults: a field that a later version adds changes no hash."""
    return request.model_dump(mode="json", exclude_defaults=True)


def canonical(value: dict[str, Any]) -> str:
    """JSON in one form only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
