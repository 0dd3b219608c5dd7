"""A repository for build.sh and pin.sh."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.images.scripts import make_checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return make_checkout(tmp_path / "checkout")
