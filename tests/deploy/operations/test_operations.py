"""The runbooks name only what Terraform, the chart and the machines have, and count the commands rightly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.gce.hcl import GCE, ROOT, Block, plain, read
from tests.operations.pages import FOLDER, all_code, commands, named

GKE = ROOT / "deploy" / "gke"
CHART = ROOT / "deploy" / "helm" / "til-queue"
MACHINES = GCE / "modules" / "cloud_init"
MADE_UP = {"til-then", "til-client"}
"""Names that a page tells the operator to give."""
OF_OTHERS = {"emptyDir", "terminationGracePeriodSeconds", "jsonPayload", "domainStatus", "maxReplicaCount"}
"""Names in mixed case that are Kubernetes', KEDA's or Google's."""
CURRENCY = re.compile(r"[$€£¥₩]\s?\d|\d\s?(?:[€£¥₩]|USD|EUR|KRW|JPY|dollars?|cents?)\b")


def variables() -> dict[str, Block]:
    """Every variable of the two root modules; what both have is the virtual machines'."""
    found = [block for folder in (GKE, GCE) for block in read(folder) if block.kind == "variable"]
    return {block.name: block for block in found}


def members(block: Block) -> set[str]:
    """The names of a variable's attributes, those of inner objects as `a.b`."""
    kind = str(block.attributes["type"])
    inner = {
        f"{name}.{member}"
        for name, body in re.findall(r"(\w+)\s*=\s*optional\(object\(\{(.*?)\}\)", kind, re.DOTALL)
        for member in re.findall(r"(\w+)\s*=", body)
    }
    return set(re.findall(r"(\w+)\s*=", kind)) | inner


@cache
def values() -> dict[str, Any]:
    """The chart's values; an alias in `workers` has what `worker` has."""
    made: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    return made | {"workers": {"ALIAS": made["worker"]}}


def is_value(path: str) -> bool:
    """Whether the chart has this value."""
    here: Any = values()
    for name in path.split("."):
        if not isinstance(here, dict) or name not in here:
            return False
        here = here[name]
    return True


def is_set_somewhere(path: str) -> bool:
    """Whether it is a value of the chart, or an attribute of a variable of Terraform's."""
    head, _, rest = path.partition(".")
    return is_value(path) or (head in variables() and rest in members(variables()[head]))


def dotted() -> set[str]:
    """`a.b` in code, where `a` is one of the chart's values or Terraform's variables."""
    heads = "|".join(sorted(values().keys() | variables().keys()))
    return named(rf"(?<![\w./-])((?:{heads})(?:\.\w+)+)(?![\w.]*[(/@])")


def test_every_dotted_setting_is_a_value_of_the_chart_or_of_a_variable() -> None:
    found = dotted() - {"data.id", "settings.env"}
    assert len(found) > 25
    assert [path for path in sorted(found) if not is_set_somewhere(path)] == []


@pytest.mark.parametrize(
    "wrong", ["worker.minimum", "data.password", "scaling.keda.address", "workers.ALIAS.gpu"]
)
def test_a_setting_that_is_not_there_is_found(wrong: str) -> None:
    assert not is_set_somewhere(wrong)


def test_every_bare_value_of_the_chart_is_one() -> None:
    """Names in mixed case, without the path before them."""
    text = (CHART / "values.yaml").read_text()
    keys = set(re.findall(r"(\w+):", text))
    found = {name for name in named(r"^([a-z]+[A-Z]\w*)$")} - OF_OTHERS
    assert len(found) > 4
    assert found <= keys


def test_every_output_is_one() -> None:
    uses = {
        (folder, name)
        for text in all_code()
        for folder, name in re.findall(r"terraform -chdir=deploy/(\w+) output (?:-raw )?(\w+)", text)
    }
    assert uses
    for folder, name in uses:
        assert name in {block.name for block in read(ROOT / "deploy" / folder) if block.kind == "output"}


def assignments() -> Iterator[tuple[str, str]]:
    for text in all_code():
        yield from re.findall(r"^(?:([a-z_]+)\.)?([a-z_]+) = ", text)


def test_every_variable_that_a_page_sets_is_one() -> None:
    found = {head or name for head, name in assignments()}
    assert "dns_zone" in found
    assert found <= variables().keys()


def test_every_name_of_ours_is_given_somewhere_in_deploy() -> None:
    files = [p for p in (ROOT / "deploy").rglob("*") if p.is_file() and p.suffix not in {".pyc"}]
    text = "\n".join(path.read_text(errors="ignore") for path in files)
    given = set(re.findall(r"til-[a-z-]*[a-z]", text))
    of_name = {plain(name) for name in re.findall(r'"\$\{var\.name\}-([a-z-]+[a-z])"', text)}
    of_name |= secrets() | {"api", "standard", "spot", "monitoring"}
    of_chart = set(re.findall(r'"component" "([a-z]+)"', text))
    known = given | {f"til-{n}" for n in of_name} | {f"til-gke-{n}" for n in of_name} | {"til-gke"}
    known |= {f"til-queue-{n}" for n in of_chart} | {"til-queue-worker"} | MADE_UP
    found = named(r"(?<![\w/-])til-[a-z-]*[a-z]")
    assert len(found) > 20
    assert found - known == set()


def secrets() -> set[str]:
    """The secrets that the data module makes, and the chart's own two."""
    [readers] = [
        b for b in read(GCE / "modules" / "data") if b.kind == "locals" and "readers" in b.attributes
    ]
    return {*plain(readers.attributes["readers"]), "openai-key", "hf-token"}


def test_every_secret_is_one_that_is_made() -> None:
    uses = [text for text in all_code() if text.startswith("gcloud secrets") or "| gcloud secrets" in text]
    found = {
        name
        for text in uses
        for name in re.findall(r"(?:--secret|versions add) til2?-(?:gke-)?([a-z-]+)(?![\w-])", text)
    }
    assert len(found) > 1
    assert found <= secrets()


def test_every_unit_is_one_of_the_machines() -> None:
    uses = {
        word
        for text in all_code()
        for words in re.findall(r"systemctl \w+ ([\w. -]+)", text)
        for word in words.split()
    }
    assert {"til-secrets", "til-worker", "til.target"} <= uses
    assert uses <= units().keys()


def units() -> dict[str, str]:
    """The text of each unit of the machines, by name."""
    text = "\n".join(path.read_text() for path in sorted(MACHINES.rglob("*.tftpl")))
    found = re.findall(r"(?ms)system/([\w.-]+?)(?:\.service)?\n(.*?)(?=^- path|^runcmd|\Z)", text)
    return dict(found)


def requires(unit: str) -> set[str]:
    """What a unit needs, directly or through another: systemd restarts it with them."""
    lines = re.findall(r"(?m)^ *Requires=(.*)$", units().get(unit, ""))
    direct = {name.removesuffix(".service") for line in lines for name in line.split()}
    return direct.union(*(requires(name) for name in direct))


def test_a_restart_of_til_secrets_restarts_whatever_reads_them() -> None:
    readers = {name for name, text in units().items() if re.search(r"/run/til:|flower\.sh|valkey\.sh", text)}
    assert readers >= {"til-api", "til-steward", "til-worker", "til-flower", "til-postgres", "til-valkey"}
    assert [name for name in sorted(readers) if "til-secrets" not in requires(name)] == []


def shell(path: Path, heading: str) -> list[str]:
    """The commands below a heading, without settings of the shell and the pinning of bases before them."""
    text = path.read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ")[0]
    return [
        command for command in commands(text) if not command.startswith(("export ", "deploy/images/pin.sh"))
    ]


def test_each_phase_is_deployed_in_under_ten_commands_as_the_page_says() -> None:
    counted = [
        len(shell(ROOT / "README.md", "Deploy")),
        len(shell(GCE / "README.md", "Apply")),
        len(commands((GKE / "README.md").read_text())),
    ]
    [row] = re.findall(r"(?m)^\| commands, [^|]*\|(.*)\|$", (FOLDER / "deploy.md").read_text())
    assert [int(cell) for cell in row.split("|")] == counted
    assert max(counted) < 10


def test_the_sizes_of_the_cost_page_are_the_defaults_and_no_price_is_stated() -> None:
    page = (FOLDER / "cost.md").read_text()
    types = set(re.findall(r"\b(?:g2|e2|n2|db)-[a-z]+(?:-\d+)*\b", page))
    defaults = "\n".join(str(block.attributes) for block in variables().values())
    assert len(types) == 5
    assert {kind for kind in types if f'"{kind}"' not in defaults} == set()
    for name, number in (("postgres_disk_gb", 50), ("redis_gb", 1), ("backups", 14), ("log_days", 7)):
        assert re.search(rf"{name}\s*=\s*optional\(number, {number}\)", str(variables()["data"].attributes))
    assert "50 GB" in page
    assert "14 backups" in page
    assert not [path.name for path in FOLDER.glob("*.md") if CURRENCY.search(path.read_text())]
    assert CURRENCY.search("an L4 costs $0.71")
