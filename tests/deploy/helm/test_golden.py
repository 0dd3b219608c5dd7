"""The rendered value sets are equal to the checked-in files, so that a diff shows each change."""

from __future__ import annotations

import pytest

from tests.deploy.helm.chart import SETS
from tests.deploy.helm.golden import FOLDER, notes, text

UPDATE = "run make generated"


@pytest.mark.parametrize("name", SETS)
def test_a_value_set_renders_as_checked_in(name: str) -> None:
    assert text(name) == (FOLDER / f"{name}.yaml").read_text(), UPDATE
    assert notes(name) == (FOLDER / f"{name}.notes.txt").read_text(), UPDATE


def test_each_value_set_has_a_file() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.yaml")) == SETS
