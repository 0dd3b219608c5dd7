"""The addresses that a webhook's connection goes to: resolved, checked, and pinned until it is made."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest

import pycares
from aiohttp.abc import ResolveResult
from aiohttp.connector import AddrInfoType
from aiohttp.resolver import AsyncResolver

from webhooks.urls import AddressForbidden, Network, may_connect

FIRST_ANSWER_SECONDS = 1.0
TRIES = 4
LOOKUP_SECONDS = 5.0
"""For one name, whatever the name servers do; what is left of the request's time is for the receiver."""
MOST_ADDRESSES = 4
"""A request tries no more addresses than this, however many a name has."""
RECEIVE_BUFFER_BYTES = 8192


class CheckedResolver(AsyncResolver):
    """Resolves a name for each connection, and returns its addresses if webhooks may reach all of them.

    It uses c-ares instead of a pool of threads, so slow names do not delay others. c-ares caches answers for
    their TTL; addresses are checked each time all the same. `nameservers` (`host:port`): those of the system,
    when empty.
    """

    def __init__(self, allowed: Sequence[Network], nameservers: Sequence[str] = ()) -> None:
        super().__init__(
            nameservers=list(nameservers) or None,
            timeout=FIRST_ANSWER_SECONDS,
            tries=TRIES,
            flags=pycares.ARES_FLAG_NOSEARCH,
        )
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Up to four addresses, IPv4 and IPv6 in turn. Raises OSError, AddressForbidden."""
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                found = await super().resolve(host, port, family)
        except TimeoutError as error:
            raise OSError("no name server has answered in time") from error
        if not found or not all(may_connect(host, port, one["host"], self._allowed) for one in found):
            raise AddressForbidden
        return list(_in_turn(found))[:MOST_ADDRESSES]


def _in_turn(found: Sequence[ResolveResult]) -> Iterator[ResolveResult]:
    first = [one for one in found if one["family"] == found[0]["family"]]
    second = [one for one in found if one["family"] != found[0]["family"]]
    for pair in zip_longest(first, second):
        yield from (one for one in pair if one is not None)


def pinned_socket(allowed: Sequence[Network]) -> Callable[[AddrInfoType], socket.socket]:
    """A socket factory that checks the address again: one written in a URL as numbers is never resolved.

    The receive buffer is small, since little of a response is read.
    """

    def made(info: AddrInfoType) -> socket.socket:
        kind, socktype, protocol, _, address = info
        host, port = str(address[0]), int(address[1])
        if not may_connect(host, port, host, allowed):
            raise AddressForbidden
        made = socket.socket(kind, socktype, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        return made

    return made
