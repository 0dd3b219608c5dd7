"""Parses Terraform files into blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import hcl2  # type: ignore[import-not-found,unused-ignore]

ROOT = Path(__file__).parents[3]
GCE = ROOT / "deploy" / "gce"
GKE = ROOT / "deploy" / "gke"
MODULES = sorted(path for path in (GCE / "modules").iterdir() if path.is_dir())
MARK = "__is_block__"


@dataclass
class Block:
    """`kind "label" ... { attributes, blocks }`. The value of an expression is its text in `${...}`."""

    kind: str
    labels: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name in expressions and error messages: `google_redis_instance.main`."""
        return ".".join(self.labels) or self.kind

    def child(self, kind: str) -> Block:
        """The only nested block of this kind, plain or `dynamic`. Raises ValueError."""
        [found] = self.children(kind)
        return found

    def children(self, kind: str) -> list[Block]:
        """The nested blocks of this kind; for a `dynamic` one its content."""
        return [block for block in map(undynamic, self.blocks) if block.kind == kind]

    def texts(self) -> Iterator[str]:
        """Every string in the block, object keys too."""
        yield from strings(self.attributes)
        for block in self.blocks:
            yield from block.texts()


def undynamic(block: Block) -> Block:
    """The block that `dynamic "kind" { content { ... } }` generates; any other block unchanged."""
    if block.kind != "dynamic":
        return block
    content = block.child("content")
    return Block(block.labels[0], (), content.attributes, content.blocks)


def strings(value: object) -> Iterator[str]:
    """Every string in nested lists and objects."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from strings(item)


@cache
def parse(text: str) -> tuple[Block, ...]:
    """The top-level blocks of a file; for a .tfvars file, one block `tfvars`."""
    top = _block("tfvars", (), hcl2.loads(text))
    return (top,) if top.attributes else tuple(top.blocks)


@cache
def read(folder: Path) -> tuple[Block, ...]:
    """The blocks of all .tf files of a folder."""
    return tuple(block for path in sorted(folder.glob("*.tf")) for block in parse(path.read_text()))


def only(folder: Path, kind: str, *labels: str) -> Block:
    """The only block of this kind whose labels begin with `labels`. Raises ValueError."""
    [found] = [b for b in read(folder) if b.kind == kind and b.labels[: len(labels)] == labels]
    return found


def local_values(folder: Path) -> dict[str, Any]:
    """A module's local values, by name."""
    found = [block for block in read(folder) if block.kind == "locals"]
    return {name: plain(value) for block in found for name, value in block.attributes.items()}


def plain(value: Any) -> Any:
    """The value without the quotes that the parser keeps around strings, in lists and objects too."""
    if isinstance(value, str):
        return value[1:-1] if value.startswith('"') else value
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items() if not str(key).startswith("__")}
    return value


def named(texts: Iterator[str], pattern: str) -> set[Any]:
    """All matches of the pattern in the texts."""
    return {match for text in texts for match in re.findall(pattern, text)}


def _block(kind: str, labels: tuple[str, ...], body: dict[str, Any]) -> Block:
    made = Block(kind, labels)
    for key, value in body.items():
        if key.startswith("__"):
            continue
        inner = [_labelled(item) for item in value] if isinstance(value, list) else []
        if inner and all(inner):
            made.blocks += [_block(key, found[0], found[1]) for found in inner if found]
        else:
            made.attributes[key] = value
    return made


def _labelled(item: object) -> tuple[tuple[str, ...], dict[str, Any]] | None:
    """Labels and body of a block, which the parser nests as objects; None for any other value."""
    labels: list[str] = []
    while isinstance(item, dict):
        if MARK in item:
            return tuple(labels), item
        inner = {key: value for key, value in item.items() if not key.startswith("__")}
        if len(inner) != 1:
            return None
        [(label, item)] = inner.items()
        labels.append(label.strip('"'))
    return None
