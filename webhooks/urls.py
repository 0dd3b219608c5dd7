"""Where a webhook may go. Checked at submit, and again at connect time on the resolved, pinned address."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
NAT64 = ipaddress.ip_network("64:ff9b::/96")
UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is given out as global unicast (RFC 4291, IANA); whatever lies outside is special."""
SPECIAL: Sequence[Network] = [
    ipaddress.ip_network("168.63.129.16/32"),
    ipaddress.ip_network("192.88.99.0/24"),
    ipaddress.ip_network("192.0.0.0/24"),
    ipaddress.ip_network("192.31.196.0/24"),
    ipaddress.ip_network("192.175.48.0/24"),
    ipaddress.ip_network("192.52.193.0/24"),
    ipaddress.ip_network("2620:4f:8000::/48"),
    ipaddress.ip_network("3fff::/20"),
    ipaddress.ip_network("2001::/23"),
]
"""Global by number only: a cloud's metadata host, 6to4 relays, AS112 (RFC 7534, RFC 7535), multicast relays
(RFC 7450), documentation, protocol assignments."""
ISATAP = (0x0000_5EFE, 0x0200_5EFE)
"""The upper half of an interface id that carries an IPv4 address, under any prefix (RFC 5214)."""
INTERNAL = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "onion", "arpa")
"""Names that no public receiver has; most of them are reserved (RFC 6761, RFC 6762, RFC 8375)."""


class WebhookUrlForbidden(Exception):
    """This webhook URL is not allowed."""


class AddressForbidden(OSError):
    """The receiver's name leads to an address that webhooks may not reach."""


def is_allowed(address: Address, allowed: Iterable[Network]) -> bool:
    """Whether a webhook may connect there: a public unicast address, or one of the `allowed` networks."""
    if _within(address, allowed):
        return True
    inner = _translated(address)
    if inner is not None:
        return is_allowed(inner, ())
    if isinstance(address, ipaddress.IPv6Address) and (address not in UNICAST or _tunnels(address)):
        return False
    if _within(address, SPECIAL):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _tunnels(address: ipaddress.IPv6Address) -> bool:
    """Whether it leads to an IPv4 address that is not looked at: 6to4, ISATAP."""
    return address.sixtofour is not None or (int(address) >> 32) & 0xFFFF_FFFF in ISATAP


def _translated(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address really leads to: mapped, or through NAT64 (RFC 6052)."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


def may_connect(host: str, port: int, address: str, allowed: Sequence[Network]) -> bool:
    """Whether a connection for `host` may go to this address and port, now that the name is resolved.

    What `check_url` lets pass because the name may lead into an `allowed` network must really lead there.
    """
    found = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    usual = _is_usual(port) and not _is_internal(host)
    return _within(found, allowed) or (usual and is_allowed(found, ()))


def check_url(url: str, allow_http: bool, allowed: Sequence[Network]) -> None:
    """Refuse a URL that could never be delivered to. Raises WebhookUrlForbidden; resolves no name.

    An unusual port or an internal name passes only where it may lead into an `allowed` network.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise WebhookUrlForbidden from error
    schemes = ("https", "http") if allow_http else ("https",)
    host = host_of(url)
    plain = url.isascii() and url.isprintable() and not set(url) & set(' \\"<>^`{|}')
    if not plain or parts.scheme not in schemes or not host or parts.username is not None or "%" in host:
        raise WebhookUrlForbidden
    usual = port is None or port == {"https": 443, "http": 80}[parts.scheme] or port >= 1024
    if port == 0 or not _may_pass(host, usual, allowed):
        raise WebhookUrlForbidden


def _may_pass(host: str, usual_port: bool, allowed: Sequence[Network]) -> bool:
    literal = _literal(host)
    if literal is None:
        return bool(allowed) or (usual_port and not _is_internal(host))
    return _within(literal, allowed) or (usual_port and is_allowed(literal, ()))


def host_of(url: str) -> str:
    """The host of a URL, in lower case and without brackets: as the column `deliveries.host` has it."""
    return (urlsplit(url).hostname or "").removesuffix(".")


def _is_usual(port: int) -> bool:
    """The schemes' own ports, and the unprivileged ones: a webhook is no way to speak to a mail server."""
    return port in {80, 443} or port >= 1024


def _is_internal(host: str) -> bool:
    """Whether only a private network would know the name; an address in numbers is none."""
    host = host.removesuffix(".")
    if _literal(host) is not None:
        return False
    return "." not in host or host.split(".")[-1] in INTERNAL


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
