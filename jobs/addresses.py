"""Where a webhook may go. Checked at submit, and again at connect time on the resolved, pinned address."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType

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


class PinnedResolver(AbstractResolver):
    """Resolves a name once for each connection, checks every address found, and gives one of them."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The first address. Raises OSError, AddressForbidden if any of the host's may not be reached."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        if not found or not all(_is_reachable(info[4], self._allowed) for info in found):
            raise AddressForbidden
        kind, _, protocol, _, address = found[0]
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """There is nothing to close."""


def pinned_socket(allowed: Sequence[Network]) -> Callable[[AddrInfoType], socket.socket]:
    """Makes the socket of a connection if its address may be reached: numbers in a URL are not resolved."""

    def made(info: AddrInfoType) -> socket.socket:
        kind, socktype, protocol, _, address = info
        if not _is_reachable(address, allowed):
            raise AddressForbidden
        return socket.socket(kind, socktype, protocol)

    return made


def _is_reachable(address: Sequence[Any], allowed: Sequence[Network]) -> bool:
    return is_allowed(ipaddress.ip_address(str(address[0]).split("%")[0]), allowed)
