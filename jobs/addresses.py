"""Where a webhook may go. Checked at submit, and again at connect time on the resolved, pinned address."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpcore

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
NAT64 = ipaddress.ip_network("64:ff9b::/96")
UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is given out as global unicast (RFC 4291, IANA); whatever lies outside is special."""
SPECIAL: Sequence[Network] = [
    ipaddress.ip_network("168.63.129.16/32"),
    ipaddress.ip_network("192.88.99.0/24"),
    ipaddress.ip_network("192.0.0.0/24"),
    ipaddress.ip_network("3fff::/20"),
    ipaddress.ip_network("2001::/23"),
]
"""Global by number only: a cloud's metadata host, 6to4 relays, documentation, protocol assignments."""
INTERNAL = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "onion", "arpa")
"""Names that no public receiver has; most of them are reserved (RFC 6761, RFC 6762, RFC 8375)."""


class WebhookUrlForbidden(Exception):
    """This webhook URL is not allowed."""


class AddressForbidden(OSError):
    """The receiver's name leads to an address that webhooks may not reach."""


def is_allowed(address: Address, allowed: Iterable[Network]) -> bool:
    """Whether a webhook may connect there: a public unicast address, or one of the `allowed` networks."""
    if any(address.version == network.version and address in network for network in allowed):
        return True
    inner = _translated(address)
    if inner is not None:
        return is_allowed(inner, ())
    if isinstance(address, ipaddress.IPv6Address) and (address.sixtofour or address not in UNICAST):
        return False
    if any(address.version == network.version and address in network for network in SPECIAL):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _translated(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address really leads to: mapped, or through NAT64 (RFC 6052)."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


def check_url(url: str, allow_http: bool, allowed: Sequence[Network]) -> None:
    """Refuse a URL that could never be delivered to. Raises WebhookUrlForbidden; resolves no name."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise WebhookUrlForbidden from error
    schemes = ("https", "http") if allow_http else ("https",)
    host = (parts.hostname or "").removesuffix(".")
    plain = url.isascii() and url.isprintable() and not set(url) & set(' \\"<>^`{|}')
    if not plain or parts.scheme not in schemes or not host or parts.username is not None or "%" in host:
        raise WebhookUrlForbidden
    if not _port_is_allowed(port, parts.scheme, allowed):
        raise WebhookUrlForbidden
    literal = _literal(host)
    if literal is not None and not is_allowed(literal, allowed):
        raise WebhookUrlForbidden
    if literal is None and not allowed and ("." not in host or host.split(".")[-1] in INTERNAL):
        raise WebhookUrlForbidden


def _port_is_allowed(port: int | None, scheme: str, allowed: Sequence[Network]) -> bool:
    """The scheme's own, or an unprivileged one: a webhook is no way to speak to a mail server."""
    usual = {"https": 443, "http": 80}[scheme]
    return port is None or port == usual or port >= 1024 or (port > 0 and bool(allowed))


def _literal(host: str) -> Address | None:
    """The address that a host spells in numbers, in the short, octal and hex forms of inet_aton too."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host)) if host[:1].isdigit() else None
    except OSError:
        return None


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a name once, checks every address found, and connects to that very address."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect, or raise AddressForbidden if any of the host's addresses may not be reached."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError("name not resolved") from error
        addresses = [ipaddress.ip_address(str(info[4][0]).split("%")[0]) for info in found]
        if not addresses or not all(is_allowed(address, self._allowed) for address in addresses):
            raise AddressForbidden
        return await self._backend.connect_tcp(
            str(addresses[0]), port, timeout, local_address, socket_options
        )

    async def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        """Never: a webhook goes over TCP."""
        raise AddressForbidden

    async def sleep(self, seconds: float) -> None:
        """Wait between the attempts of the connection pool."""
        await self._backend.sleep(seconds)
