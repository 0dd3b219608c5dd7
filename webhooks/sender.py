"""One POST of a webhook, signed after Standard Webhooks. Network errors are returned, not raised."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import math
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
    StreamReader,
)
from standardwebhooks import Webhook as Signer
from yarl import URL

from webhooks.resolve import CheckedResolver, pinned_socket
from webhooks.response_head import HEAD_BYTES, Connector, HeadTooLarge
from webhooks.urls import AddressForbidden, Network

KEPT_BYTES = 1024
BODY_SECONDS = 1.0
"""How long the response's body is read; its status is known by then."""
KEEPALIVE_SECONDS = 2
"""Less than the 5 s after which many servers close an idle connection, in which a request could be lost."""
SLOW_MILLISECONDS = 1000
CONNECT_ROUNDED_MILLISECONDS = 100
CRASHED = "internal_error"
UNSIGNED = "secret_unreadable"


@dataclass(frozen=True)
class Attempt:
    """The outcome of a POST: an HTTP `status` or an `error`, the time it took, the response's first KiB.

    `cause`: details for the log, which the tenant must not see.
    """

    milliseconds: int
    status: int | None = None
    error: str | None = None
    answer: str = ""
    retry_after: str | None = None
    cause: str | None = None

    @property
    def delivered(self) -> bool:
        """Success is 2xx."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def overloaded(self) -> bool:
        """Whether the receiver is slow, overloaded or unreachable; a 404, say, is no sign of that."""
        failing = self.status is None or self.status == 429 or self.status >= 500
        return failing or self.milliseconds >= SLOW_MILLISECONDS


class Sender:
    """Sends webhooks, to allowed addresses only. `timeout_seconds`: for all of one POST."""

    def __init__(
        self,
        user_agent: str,
        timeout_seconds: float,
        allowed: Sequence[Network],
        nameservers: Sequence[str] = (),
    ) -> None:
        self._user_agent = user_agent
        self.timeout_seconds = timeout_seconds
        self._allowed = allowed
        self._nameservers = nameservers
        self._made: ClientSession | None = None
        self._resolver: CheckedResolver

    def _session(self) -> ClientSession:
        """One for all requests, made on first use. The caller limits how many are in flight."""
        if self._made is None:
            self._resolver = CheckedResolver(self._allowed, self._nameservers)
            connector = Connector(
                limit=0,
                keepalive_timeout=KEEPALIVE_SECONDS,
                use_dns_cache=False,
                resolver=self._resolver,
                socket_factory=pinned_socket(self._allowed),
                ssl=ssl.create_default_context(),
            )
            self._made = ClientSession(
                connector=connector,
                cookie_jar=DummyCookieJar(),
                auto_decompress=False,
                timeout=ClientTimeout(total=None),
                skip_auto_headers=("accept", "accept-encoding"),
                read_bufsize=KEPT_BYTES,
                max_line_size=HEAD_BYTES,
                max_field_size=HEAD_BYTES,
                max_headers=HEAD_BYTES,
            )
        return self._made

    async def post(self, url: str, message_id: str, secrets: Sequence[str], body: str) -> Attempt:
        """Send one signed message; redirects are not followed. Never raises for what a receiver does."""
        headers = self._headers(message_id, secrets, body)
        began = time.monotonic()
        try:
            async with asyncio.timeout(self.timeout_seconds):
                return await self._post(began, url, headers, body)
        except TimeoutError:
            return Attempt(_since(began), error="timeout")
        except (ClientError, OSError, ValueError) as error:
            return _failed(_since(began), error)

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
            kept = await _first_bytes(response.content)
            return Attempt(
                _since(began),
                status=response.status,
                answer=kept.decode(errors="replace").replace("\x00", "\ufffd")[:KEPT_BYTES],
                retry_after=response.headers.get("retry-after"),
            )

    async def close(self) -> None:
        """Close the idle connections."""
        if self._made is not None:
            await self._made.close()
            await self._resolver.close()


async def _first_bytes(body: StreamReader) -> bytes:
    """The first KiB, or less if it does not come in time or the body breaks off, which is no error."""
    kept = b""
    with contextlib.suppress(TimeoutError, ClientError, OSError, ValueError):
        async with asyncio.timeout(BODY_SECONDS):
            while len(kept) < KEPT_BYTES and (chunk := await body.read(KEPT_BYTES - len(kept))):
                kept += chunk
    return kept


def _failed(milliseconds: int, error: Exception) -> Attempt:
    """The attempt of a request that failed. To the tenant a forbidden address looks like an unreachable one:
    the error is the same, and the time is rounded."""
    if isinstance(error, ClientSSLError):
        return Attempt(milliseconds, error="tls_failed")
    if isinstance(error, InvalidURL):
        return Attempt(milliseconds, error="invalid_url")
    if isinstance(error, HeadTooLarge):
        return Attempt(milliseconds, error="head_too_large")
    if not isinstance(error, ClientConnectorError | AddressForbidden):
        return Attempt(milliseconds, error="connection_broken", cause=type(error).__name__)
    forbidden = isinstance(error, AddressForbidden) or isinstance(error.__cause__, AddressForbidden)
    cause = "address_forbidden" if forbidden else type(error).__name__
    rounded = math.ceil(milliseconds / CONNECT_ROUNDED_MILLISECONDS) * CONNECT_ROUNDED_MILLISECONDS
    return Attempt(rounded, error="connect_failed", cause=cause)


def _since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)
