"""A rolling upgrade from the previous version, on a database that it has made."""

from __future__ import annotations

from tests.rehearsal.upgrade import EACH, PAIRS, OldStack, Upgrade
from tests.stack.receiver import Receiver


def test_an_upgrade_loses_nothing_while_each_version_finishes_what_the_other_took(
    old_stack: OldStack, old_receiver: Receiver
) -> None:
    seen = Upgrade(old_stack, old_receiver).run()
    assert seen.wrong == []
    assert set(seen.pairs) == set(PAIRS)
    assert min(seen.pairs.values()) >= EACH
    assert seen.jobs >= 7 * EACH
    assert old_receiver.refused == []
