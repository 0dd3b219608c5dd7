"""A change of what is deployed is seen in a change of these files."""

from __future__ import annotations

import pytest

from tests.deploy.helm.chart import SETS
from tests.deploy.helm.golden import FOLDER, notes, text

RENEW = "run make generated"


@pytest.mark.parametrize("name", SETS)
def test_a_value_set_renders_as_checked_in(name: str) -> None:
    assert text(name) == (FOLDER / f"{name}.yaml").read_text(), RENEW
    assert notes(name) == (FOLDER / f"{name}.notes.txt").read_text(), RENEW


def test_there_is_one_file_for_each_set() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.yaml")) == SETS
