"""Which URLs and addresses webhooks may reach (SSRF). Checked at submit, and for each connection again."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
NAT64 = ipaddress.ip_network("64:ff9b::/96")
UNICAST = ipaddress.ip_network("2000::/3")
"""The range of IPv6 that IANA assigns as global unicast (RFC 4291)."""
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
"""Refused although `ipaddress` calls them global: a cloud's metadata host, 6to4 relays, AS112 (RFC 7534,
RFC 7535), multicast relays (RFC 7450), documentation, protocol assignments."""
ISATAP = (0x0000_5EFE, 0x0200_5EFE)
"""The upper half of an interface id that carries an IPv4 address, under any prefix (RFC 5214)."""
INTERNAL = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "onion", "arpa")
"""Top-level names of private networks; most of them are reserved (RFC 6761, RFC 6762, RFC 8375)."""


class WebhookUrlForbidden(Exception):
    """This webhook URL is not allowed."""


class AddressForbidden(OSError):
    """The receiver's name resolves to an address that webhooks may not reach."""


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
    """Whether packets for it are tunnelled to an IPv4 address, which would go unchecked: 6to4, ISATAP."""
    return address.sixtofour is not None or (int(address) >> 32) & 0xFFFF_FFFF in ISATAP


def _translated(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for: mapped, or by NAT64 (RFC 6052)."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


def may_connect(host: str, port: int, address: str, allowed: Sequence[Network]) -> bool:
    """Whether a connection for `host` may go to this address, to which it resolves, and port.

    An unusual port or an internal name is for `allowed` networks only; `check_url` could not see that.
    """
    found = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    usual = _is_usual(port) and not _is_internal(host)
    return _within(found, allowed) or (usual and is_allowed(found, ()))


def check_url(url: str, allow_http: bool, allowed: Sequence[Network]) -> None:
    """Check a URL without resolving its name. Raises WebhookUrlForbidden.

    An unusual port or an internal name passes if there are `allowed` networks: it may lead into one.
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
    """80, 443 and the unprivileged ports; the others belong to services such as SSH and SMTP."""
    return port in {80, 443} or port >= 1024


def _is_internal(host: str) -> bool:
    """Whether the host is a name that only private networks resolve."""
    host = host.removesuffix(".")
    if _literal(host) is not None:
        return False
    return "." not in host or host.split(".")[-1] in INTERNAL


def _literal(host: str) -> Address | None:
    """The address, if the host is one written in numbers: also in inet_aton's short, octal and hex forms."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host)) if host[:1].isdigit() else None
    except OSError:
        return None
