"""One POST of a webhook, signed after Standard Webhooks. What goes wrong on the network is a value."""

from __future__ import annotations

import asyncio
import datetime
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpcore
from standardwebhooks import Webhook as Signer

from jobs.addresses import AddressForbidden, Network, PinnedBackend

KEPT_BYTES = 1024


@dataclass(frozen=True)
class Attempt:
    """What came of a POST: an HTTP `status` or an `error`, the time it took, and the answer's first KiB."""

    milliseconds: int
    status: int | None = None
    error: str | None = None
    answer: str = ""
    retry_after: str | None = None

    @property
    def delivered(self) -> bool:
        """Success is 2xx."""
        return self.status is not None and 200 <= self.status < 300


class Sender:
    """Posts webhooks to addresses that may be reached. `timeout_seconds` covers all of one POST."""

    def __init__(self, user_agent: str, timeout_seconds: float, allowed: Sequence[Network]) -> None:
        self._user_agent = user_agent
        self.timeout_seconds = timeout_seconds
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            network_backend=PinnedBackend(allowed),
            max_connections=1000,
            max_keepalive_connections=32,
            keepalive_expiry=5,
        )

    async def post(self, url: str, message_id: str, secrets: Sequence[str], body: str) -> Attempt:
        """Send one signed message; redirects are not followed. Never raises for what a receiver does."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(self.timeout_seconds):
                return await self._post(began, url, self._headers(message_id, secrets, body), body)
        except TimeoutError:
            return Attempt(_since(began), error="timeout")
        except AddressForbidden:
            return Attempt(_since(began), error="address_forbidden")
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            return Attempt(_since(began), error=_name(error))

    def _headers(self, message_id: str, secrets: Sequence[str], body: str) -> dict[bytes | str, bytes | str]:
        now = datetime.datetime.now(datetime.UTC)
        signatures = " ".join(Signer(secret).sign(message_id, now, body) for secret in secrets)
        return {
            "content-type": "application/json",
            "user-agent": self._user_agent,
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signatures,
        }

    async def _post(
        self, began: float, url: str, headers: dict[bytes | str, bytes | str], body: str
    ) -> Attempt:
        async with self._pool.stream("POST", url, headers=headers, content=body.encode()) as response:
            kept = b""
            async for chunk in response.aiter_stream():
                kept += chunk[: KEPT_BYTES - len(kept)]
                if len(kept) >= KEPT_BYTES:
                    break
            told = {name.lower(): value for name, value in response.headers}
            return Attempt(
                _since(began),
                status=response.status,
                answer=kept.decode(errors="replace").replace("\x00", "\ufffd")[:KEPT_BYTES],
                retry_after=told.get(b"retry-after", b"").decode(errors="replace") or None,
            )

    async def close(self) -> None:
        """Close the kept connections."""
        await self._pool.aclose()


def _name(error: Exception) -> str:
    if isinstance(error.__cause__ or error.__context__ or error, ssl.SSLError):
        return "tls_failed"
    return "connect_failed" if isinstance(error, httpcore.ConnectError) else "connection_broken"


def _since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)
