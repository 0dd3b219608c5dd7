"""Both halves of a rolling upgrade, on a database that the previous version has made."""

from __future__ import annotations

import pytest

from tests.rehearsal.upgrade import JOBS_EACH_STAGE, First, OldStack, Upgrade
from tests.stack.receiver import Receiver


@pytest.mark.parametrize("first", ["api", "worker"])
def test_an_upgrade_loses_nothing_whatever_is_replaced_first(
    old_stack: OldStack, old_receiver: Receiver, first: First
) -> None:
    seen = Upgrade(old_stack, old_receiver, first).run()
    assert seen.wrong == []
    assert seen.mixed == JOBS_EACH_STAGE
    assert seen.jobs >= 4 * JOBS_EACH_STAGE
    assert old_receiver.refused == []
