"""Names: resolved without threads, every address checked, pinned. The name server is real, on loopback."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from tests.webhooks.conftest import LOOPBACK
from tests.webhooks.consumers import ACCEPTED, consumers, many_loopback_addresses
from tests.webhooks.names import NameServer, Zone, hang_for_minutes, name_server
from webhooks.resolve import MOST_ADDRESSES, CheckedResolver
from webhooks.sender import Attempt, Sender

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CLOSING = f"{ACCEPTED}\r\nconnection: close"


@asynccontextmanager
async def sending(zone: Zone, timeout_seconds: float = 10) -> AsyncIterator[tuple[Sender, NameServer]]:
    """A sender that asks a name server with this zone."""
    async with name_server(zone) as (address, server):
        sender = Sender("til-queue/test", timeout_seconds, LOOPBACK, [address])
        try:
            yield sender, server
        finally:
            await sender.close()


async def post(sender: Sender, url: str) -> Attempt:
    return await sender.post(url, "msg_1", [SECRET], "{}")


async def test_a_name_is_resolved_for_each_connection_and_every_address_of_it_is_checked() -> None:
    found = ["127.0.0.1"]
    async with consumers(lambda _: CLOSING) as there, sending(lambda _: found) as (sender, server):
        url = there.url("rebinding.example.com")
        assert (await post(sender, url)).status == 204
        assert server.asked == ["rebinding.example.com"]
        for forbidden in (["127.0.0.1", "10.0.0.1"], ["169.254.169.254"]):
            found = forbidden
            attempt = await post(sender, url)
            assert (attempt.error, attempt.cause) == ("connect_failed", "address_forbidden")
    assert len(there.came) == 1


async def test_a_tenant_can_not_tell_a_forbidden_address_from_a_name_or_a_port_that_is_not_there() -> None:
    zone = {"internal.example.com": ["10.0.0.1"], "closed.example.com": ["127.0.0.1"]}
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        async with sending(lambda name: zone.get(name, [])) as (sender, _):
            told = [
                await post(sender, f"http://{name}.example.com:{port}/")
                for name in ("internal", "closed", "unknown")
            ]
    assert told[0].cause == "address_forbidden"
    assert {attempt.error for attempt in told} == {"connect_failed"}
    assert {attempt.milliseconds % 100 for attempt in told} == {0}
    assert {(attempt.status, attempt.answer) for attempt in told} == {(None, "")}


@many_loopback_addresses
@pytest.mark.parametrize("addresses", [["127.0.0.1", "127.0.0.9"], ["127.0.0.9", "127.0.0.1"]])
async def test_an_address_that_refuses_gives_way_to_the_next(addresses: Sequence[str]) -> None:
    async with consumers(at="127.0.0.1") as there, sending(lambda _: addresses) as (sender, _):
        assert (await post(sender, there.url("two.example.com"))).status == 204


async def test_few_of_many_addresses_are_tried_of_both_families() -> None:
    many = [f"127.0.0.{number}" for number in range(1, 12)] + [f"::{number}" for number in range(1, 5)]
    both = [*LOOPBACK, ipaddress.ip_network("::/64")]
    async with name_server(lambda _: many) as (address, _):
        resolver = CheckedResolver(both, [address])
        found = await resolver.resolve("many.example.com", 443)
        await resolver.close()
    assert len(found) == MOST_ADDRESSES
    assert len({one["family"] for one in found}) == 2


async def test_no_search_domain_is_added_to_a_name() -> None:
    async with sending(lambda _: []) as (sender, server):
        assert (await post(sender, "http://hooks.example.com:9000/")).error == "connect_failed"
    assert set(server.asked) == {"hooks.example.com"}


async def test_a_name_that_hangs_ends_before_the_senders_own_timeout() -> None:
    async with sending(lambda _: None) as (sender, _):
        assert (await post(sender, "http://hangs.example.com:9000/")).error == "connect_failed"


async def test_hundreds_of_names_that_hang_delay_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others arrive while all of those still hang."""
    hang_for_minutes(monkeypatch)

    def zone(name: str) -> Sequence[str] | None:
        return None if name.startswith("hangs") else ["127.0.0.1"]

    async with consumers() as there, sending(zone, 120) as (sender, _):
        hangs = [there.url(f"hangs-{number}.example.com") for number in range(300)]
        hanging = [asyncio.create_task(post(sender, url)) for url in hangs]
        await asyncio.sleep(0)
        fine = [post(sender, there.url(f"fine-{number}.example.com")) for number in range(100)]
        answers = await asyncio.gather(*fine)
        assert not any(task.done() for task in hanging)
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
    assert {attempt.status for attempt in answers} == {204}
