"""One POST of a webhook, signed after Standard Webhooks. What goes wrong on the network is a value."""

from __future__ import annotations

import asyncio
import datetime
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    DummyCookieJar,
    InvalidURL,
    TCPConnector,
)
from standardwebhooks import Webhook as Signer
from yarl import URL

from jobs.addresses import AddressForbidden, Network, PinnedResolver, pinned_socket

KEPT_BYTES = 1024
KEEPALIVE_SECONDS = 5


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
        self._allowed = allowed
        self._made: ClientSession | None = None

    def _session(self) -> ClientSession:
        """One for all posts, made when the loop runs. How many are in flight is bounded by the caller."""
        if self._made is None:
            connector = TCPConnector(
                limit=0,
                keepalive_timeout=KEEPALIVE_SECONDS,
                use_dns_cache=False,
                resolver=PinnedResolver(self._allowed),
                socket_factory=pinned_socket(self._allowed),
                ssl=ssl.create_default_context(),
            )
            self._made = ClientSession(
                connector=connector,
                cookie_jar=DummyCookieJar(),
                auto_decompress=False,
                timeout=ClientTimeout(total=None),
                skip_auto_headers=("accept", "accept-encoding"),
            )
        return self._made

    async def post(self, url: str, message_id: str, secrets: Sequence[str], body: str) -> Attempt:
        """Send one signed message; redirects are not followed. Never raises for what a receiver does."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(self.timeout_seconds):
                return await self._post(began, url, self._headers(message_id, secrets, body), body)
        except TimeoutError:
            return Attempt(_since(began), error="timeout")
        except (ClientError, OSError, ValueError) as error:
            return Attempt(_since(began), error=_name(error))

    def _headers(self, message_id: str, secrets: Sequence[str], body: str) -> dict[str, str]:
        now = datetime.datetime.now(datetime.UTC)
        return {
            "content-type": "application/json",
            "user-agent": self._user_agent,
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(Signer(secret).sign(message_id, now, body) for secret in secrets),
        }

    async def _post(self, began: float, url: str, headers: dict[str, str], body: str) -> Attempt:
        sending = self._session().post(
            URL(url, encoded=True), data=body.encode(), headers=headers, allow_redirects=False
        )
        async with sending as response:
            kept = b""
            while len(kept) < KEPT_BYTES and (chunk := await response.content.read(KEPT_BYTES - len(kept))):
                kept += chunk
            return Attempt(
                _since(began),
                status=response.status,
                answer=kept.decode(errors="replace").replace("\x00", "\ufffd")[:KEPT_BYTES],
                retry_after=response.headers.get("retry-after"),
            )

    async def close(self) -> None:
        """Close the kept connections."""
        if self._made is not None:
            await self._made.close()


def _name(error: Exception) -> str:
    if isinstance(error, AddressForbidden) or isinstance(error.__cause__, AddressForbidden):
        return "address_forbidden"
    if isinstance(error, InvalidURL):
        return "invalid_url"
    if isinstance(error, ClientSSLError):
        return "tls_failed"
    return "connect_failed" if isinstance(error, ClientConnectorError) else "connection_broken"


def _since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)
