"""Every name in an expression is declared, every declared name is used, and module calls are complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.gce import roots
from tests.deploy.gce.hcl import GCE, MODULES, only, parse, plain, read
from tests.deploy.gce.references import declared, errors

EXAMPLES = roots.examples(GCE)


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
    found = errors(roots.broken(tmp_path, GCE, file, old, new))
    assert any(error in one for one in found), found


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_sets_all_required_variables_and_no_unknown_ones(example: Path) -> None:
    assert roots.example_errors(GCE, example) == []


def test_there_is_an_example_of_each_topology() -> None:
    topologies = {
        plain(parse(path.read_text())[0].attributes.get("topology", '"split"')) for path in EXAMPLES
    }
    assert topologies == {"split", "together"}
    assert plain(only(GCE, "variable", "topology").attributes["default"]) == "split"


@pytest.mark.parametrize("folder", [GCE, *MODULES], ids=lambda folder: folder.name)
def test_variables_and_outputs_have_descriptions(folder: Path) -> None:
    assert roots.undescribed(folder) == []
    assert declared(read(folder), "variable")
