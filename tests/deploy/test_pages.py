"""The pages that lead to a deployment."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("images", "compose", "gce", "gke", "helm", "monitoring", "logging")
PAGES = ("README.md", "docs/operate.md")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_leads_to_every_way_to_deploy(page: str) -> None:
    text = (ROOT / page).read_text()
    assert [name for name in FOLDERS if f"deploy/{name}" not in text] == []
    assert "phase 1" in text
    assert "phase 2" in text
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


def test_every_folder_of_deploy_is_in_the_table_of_the_readme() -> None:
    table = (ROOT / "README.md").read_text().partition("## Where things are")[2]
    there = {path.name for path in (ROOT / "deploy").iterdir() if path.is_dir()} - {"__pycache__", "secrets"}
    assert there == set(re.findall(r"`deploy/(\w+)/`", table))


def test_the_settings_of_images_are_in_the_example_and_on_the_page() -> None:
    operate = (ROOT / "docs" / "operate.md").read_text()
    for name in ("TIL_REGISTRY", "TIL_VERSION", "TIL_WEIGHTS", "TIL_WEIGHTS_MODEL", "TIL_WEIGHTS_REVISION"):
        assert f"{name}=" in (ROOT / "deploy" / "compose.env.example").read_text()
        assert name in operate
