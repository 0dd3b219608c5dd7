"""The schema of the Google provider, read from its generated bindings."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.deploy.gce.hcl import ROOT, Block, undynamic

SCHEMA = ROOT / ".venv-deploy" / "provider.jsii"
PACKAGE = "@cdktn/provider-google."
META = {"count", "for_each", "depends_on", "provider", "lifecycle", "timeouts"}
EPHEMERAL = {
    "google_secret_manager_secret_version": ({"secret"}, {"project", "version", "is_secret_data_base64"}),
    "random_password": ({"length"}, {"special", "upper", "lower", "numeric", "override_special"}),
}
"""Ephemeral resources, which are not in the bindings: (required, optional) arguments, from their docs."""


@dataclass(frozen=True)
class Argument:
    """`block`: the type of a nested block; None for a plain argument. `many`: a list, a set or many blocks.

    `kind` is the type as Terraform writes it in JSON, such as `["list", "string"]`.
    """

    required: bool
    block: str | None
    many: bool
    kind: object


@cache
def types() -> dict[str, Any]:
    """The types of the bindings by full name."""
    found: dict[str, Any] = json.loads(SCHEMA.read_text())["types"]
    return found


@cache
def resources() -> dict[str, str]:
    """Full class names of resources and data sources, by Terraform name without underscores."""
    return {
        name.removeprefix(PACKAGE).split(".")[1].lower(): name
        for name, what in types().items()
        if what["kind"] == "class"
        and what.get("base") in {"cdktn.TerraformResource", "cdktn.TerraformDataSource"}
    }


def class_of(kind: str, resource: str) -> str | None:
    """The class of the resource or data source `google_x_y`; None if the provider has no such resource."""
    name = resource.removeprefix("google_").replace("_", "")
    return resources().get(f"datagoogle{name}" if kind == "data" else name)


@cache
def arguments(type_name: str) -> dict[str, Argument]:
    """The arguments of a struct by Terraform name."""
    found = {}
    for prop in types()[type_name].get("properties", []):
        nested = [ref for ref in _references(prop["type"]) if ref.startswith(PACKAGE)]
        many = "collection" in json.dumps(prop["type"])
        block = nested[0] if nested else None
        found[_terraform_name(prop)] = Argument(not prop.get("optional"), block, many, _kind(prop["type"]))
    return found


@cache
def computed(class_name: str) -> dict[str, object]:
    """The read-only attributes of a resource: types by Terraform name."""
    taken = arguments(f"{class_name}Config")
    found = {
        _snake(prop["name"]): _kind(prop["type"])
        for prop in types()[class_name].get("properties", [])
        if not prop.get("static") and not prop["name"].endswith("Input")
    }
    return {name: kind for name, kind in found.items() if name not in taken}


@cache
def readable(class_name: str) -> set[str]:
    """The attributes that expressions can read, in lower case without underscores."""
    names = {prop["name"].lower() for prop in types()[class_name].get("properties", [])}
    return {name for name in names if not name.endswith("input")} | {"id"}


def errors(block: Block) -> list[str]:
    """Violations of the schema by a resource, data source or ephemeral resource."""
    kind = block.labels[0]
    if block.kind == "ephemeral":
        required, optional = EPHEMERAL[kind]
        given = set(block.attributes)
        wrong = [f"unknown {name}" for name in given - required - optional - META]
        return [f"{block.name}: {one}" for one in wrong + [f"missing {name}" for name in required - given]]
    found = class_of(block.kind, kind)
    if found is None:
        return [f"{block.name}: the provider has no such resource"]
    return [f"{block.name}: {error}" for error in _inside(block, f"{found}Config")]


def _inside(block: Block, type_name: str) -> list[str]:
    known = arguments(type_name)
    inner = [undynamic(child) for child in block.blocks if child.kind not in META]
    given = set(block.attributes) - META
    found = [f"unknown argument {name}" for name in given - known.keys()]
    found += [f"unknown block {child.kind}" for child in inner if child.kind not in known]
    for name, argument in known.items():
        times = sum(child.kind == name for child in inner)
        found += _misuses(name, argument, block.attributes.get(name), times)
    for child in inner:
        if child.kind in known and (nested := known[child.kind].block):
            found += [f"{child.kind}: {error}" for error in _inside(child, nested)]
    return found


def _misuses(name: str, argument: Argument, value: object, times: int) -> list[str]:
    scalar, listed = isinstance(value, bool | int | float), isinstance(value, list | dict)
    rules = {
        f"missing {name}": argument.required and value is None and not times,
        f"{name} is a block, not an argument": argument.block and value is not None,
        f"{name} is an argument, not a block": not argument.block and times,
        f"{name} more than once": argument.block and times > 1 and not argument.many,
        f"{name} is one value": not argument.block and not argument.many and listed,
        f"{name} is a list or a map": not argument.block and argument.many and scalar,
    }
    return [error for error, broken in rules.items() if broken]


def _references(what: dict[str, Any]) -> list[str]:
    if "fqn" in what:
        return [what["fqn"]]
    if "union" in what:
        return [ref for one in what["union"]["types"] for ref in _references(one)]
    return _references(what["collection"]["elementtype"]) if "collection" in what else []


def _terraform_name(prop: dict[str, Any]) -> str:
    """The name at the end of the link to the documentation; without one, from the bindings' name."""
    docs = " ".join(prop.get("docs", {}).get(part, "") for part in ("summary", "remarks"))
    if found := re.search(r"#(\w+)\s+\w+#\w+\}", docs):
        return found[1]
    return _snake(prop["name"])


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: f"_{match[1].lower()}", name)


def _kind(what: dict[str, Any]) -> object:
    """The type as Terraform writes it; `dynamic` for a class of the bindings."""
    if "union" in what:
        kinds = [_kind(one) for one in what["union"]["types"]]
        return next((one for one in kinds if one != "dynamic"), "dynamic")
    if "collection" in what:
        return [
            "map" if what["collection"]["kind"] == "map" else "list",
            _kind(what["collection"]["elementtype"]),
        ]
    return {"string": "string", "number": "number", "boolean": "bool"}.get(
        what.get("primitive", ""), "dynamic"
    )
