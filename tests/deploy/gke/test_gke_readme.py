"""The commands and names in the READMEs of deploy/gke and of the chart."""

from __future__ import annotations

import re

import pytest

from tests.deploy.gce.hcl import ROOT, read

READMES = ["deploy/gke/README.md", "deploy/helm/til-queue/README.md"]


def commands(name: str) -> list[str]:
    """The commands of the first code block."""
    [block, *_] = re.findall(r"```sh\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)
    return [line for line in block.replace("\\\n", " ").splitlines() if line.strip()]


@pytest.mark.parametrize("name", READMES)
def test_it_is_installed_in_under_ten_commands(name: str) -> None:
    assert 4 < len(commands(name)) < 10


@pytest.mark.parametrize("name", READMES)
def test_the_outputs_variables_and_links_exist(name: str) -> None:
    text = (ROOT / name).read_text()
    outputs = {block.name for block in read(ROOT / "deploy" / "gke") if block.kind == "output"}
    assert set(re.findall(r"output (?:-raw )?(\w+)", text)) <= outputs
    folder = (ROOT / name).parent
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text)]
    assert links
    assert [link for link in links if not (folder / link).exists()] == []
    variables = {block.name for block in read(ROOT / "deploy" / "gke") if block.kind == "variable"}
    if name == READMES[0]:
        mentioned = set(re.findall(r"`(gpu|gpu_pool|auto_provisioning|zones|scaler)\b", text))
        assert mentioned
        assert mentioned <= variables
