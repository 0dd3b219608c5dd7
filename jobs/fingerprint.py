"""Hashes over the canonical JSON of requests, by which equal requests are recognised. Pure."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from til.request import TilRequest


def digest(text: str) -> bytes:
    """SHA-256. Only for text without secrets: whoever sees the digest could try values for them."""
    return hashlib.sha256(text.encode()).digest()


def request_mac(key: bytes, request: TilRequest) -> bytes:
    """HMAC-SHA-256 of a request before redaction: requests that differ only in a secret differ here.

    Without the tenant's `key` nobody can try values for the secret.
    """
    return hmac.digest(key, canonical(as_sent(request)).encode(), "sha256")


def as_sent(request: TilRequest) -> dict[str, Any]:
    """The request without fields that have their default, so that a new optional field changes no hash."""
    return request.model_dump(mode="json", exclude_defaults=True)


def canonical(value: dict[str, Any]) -> str:
    """Canonical JSON: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
