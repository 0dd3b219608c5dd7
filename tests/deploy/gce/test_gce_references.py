"""Every name in an expression is declared, every declared name is used, and module calls are complete."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.deploy.gce.hcl import GCE, MODULES, only, parse, plain, read
from tests.deploy.gce.references import declared, errors

EXAMPLES = sorted((GCE / "examples").glob("*.tfvars"))


@pytest.mark.parametrize("folder", [GCE, *MODULES], ids=lambda folder: folder.name)
def test_all_names_are_declared_and_used(folder: Path) -> None:
    assert errors(folder) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "error"),
    [
        ("modules/api/main.tf", "var.zones", "var.zone", "var.zone is not declared"),
        ("modules/api/main.tf", "max_replicas    = var.max", "max_replicas    = 3", "var.max is not used"),
        ("modules/data/flags.tf", "  flags =", "  flag =", "local.flags is not declared"),
        ("main.tf", "min             = var.api.min", "", "module.api is not given min"),
        (
            "main.tf",
            "  range  = var.range",
            "  ranges = var.range",
            "module.network has no variable ranges",
        ),
        (
            "main.tf",
            "module.network.vpc",
            "module.network.net",
            "module.network.net is not declared",
        ),
        (
            "modules/api/main.tf",
            "template.main.self_link",
            "template.one.self_link",
            "template.one is not declared",
        ),
        (
            "modules/api/main.tf",
            "template.main.self_link",
            "template.main.selflink2",
            "main has no selflink2",
        ),
        ("modules/data/managed.tf", "instance.main[0].name", "instance.main.name", "named without an index"),
        ("modules/api/main.tf", "var.boot_seconds * 2", "each.value", "has no for_each"),
        (
            "outputs.tf",
            "module.load_balancer.address",
            "var.domain",
            "output address of ./modules/load_balancer",
        ),
    ],
)
def test_a_wrong_name_is_found(tmp_path: Path, file: str, old: str, new: str, error: str) -> None:
    copy = tmp_path / "gce"
    shutil.copytree(GCE, copy)
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new))
    folder = (copy / file).parent
    assert any(error in found for found in errors(folder)), errors(folder)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_sets_all_required_variables_and_no_unknown_ones(example: Path) -> None:
    [given] = parse(example.read_text())
    variables = {block.name: block for block in read(GCE) if block.kind == "variable"}
    needed = {name for name, block in variables.items() if "default" not in block.attributes}
    assert set(given.attributes) <= variables.keys()
    assert needed <= set(given.attributes)
    for name, value in given.attributes.items():
        if isinstance(value, dict):
            fields = str(variables[name].attributes["type"])
            assert all(f"{key} = " in fields for key in plain(value)), name


def test_there_is_an_example_of_each_topology() -> None:
    topologies = {
        plain(parse(path.read_text())[0].attributes.get("topology", '"split"')) for path in EXAMPLES
    }
    assert topologies == {"split", "together"}
    assert plain(only(GCE, "variable", "topology").attributes["default"]) == "split"


@pytest.mark.parametrize("folder", [GCE, *MODULES], ids=lambda folder: folder.name)
def test_variables_and_outputs_have_descriptions(folder: Path) -> None:
    described = [block for block in read(folder) if block.kind in {"variable", "output"}]
    assert [block.name for block in described if not plain(block.attributes.get("description"))] == []
    assert declared(read(folder), "variable")
