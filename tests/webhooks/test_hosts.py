"""How many posts a host may get at once."""

from __future__ import annotations

from jobs.postman import NARROW, REMEMBERED_HOSTS, USUAL, WIDE, Hosts


def test_a_host_that_answers_quickly_gets_more_and_one_that_fails_gets_one_at_a_time() -> None:
    hosts = Hosts()
    for _ in range(2 * WIDE):
        hosts.began("good")
        hosts.ended("good", well=True)
    for _ in range(3):
        hosts.began("bad")
    assert hosts.room() == {"good": WIDE, "bad": USUAL - 3}
    hosts.ended("bad", well=False)
    assert hosts.room() == {"good": WIDE, "bad": 0}
    for _ in range(2):
        hosts.ended("bad", well=False)
    assert hosts.room()["bad"] == NARROW
    hosts.began("bad")
    hosts.ended("bad", well=True)
    assert hosts.room()["bad"] == NARROW + 1


def test_what_is_remembered_of_hosts_is_bounded() -> None:
    hosts = Hosts()
    for number in range(REMEMBERED_HOSTS + 100):
        hosts.began(str(number))
        hosts.ended(str(number), well=True)
    assert len(hosts.room()) == REMEMBERED_HOSTS
