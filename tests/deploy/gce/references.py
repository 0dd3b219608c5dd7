"""Checks that all names in a module's expressions are declared, and that all declared names are used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.deploy.gce.hcl import Block, named, plain, read
from tests.deploy.gce.provider import class_of, readable

RESOURCE = r"(?<![\w.])(data\.|ephemeral\.)?((?:google|random)_\w+)\.(\w+)(?:\[[^\]]*\])?(?:\.(\w+))?"
OUTPUT = r"(?<![\w.])module\.(\w+)(?:\[[^\]]*\])?\.(\w+)"
MODULE_META = {"source", "for_each", "count", "depends_on", "providers"}


def errors(folder: Path) -> list[str]:
    """Errors in one module and in its calls of other modules."""
    blocks = read(folder)
    return [f"{folder.name}: {error}" for error in _errors(blocks, folder)]


def _errors(blocks: Sequence[Block], folder: Path) -> Iterator[str]:
    yield from _declared_and_used(blocks, "variable", "var")
    yield from _declared_and_used(blocks, "locals", "local")
    yield from _resources(blocks)
    yield from _loops(blocks)
    for call in (block for block in blocks if block.kind == "module"):
        yield from _call(call, read((folder / plain(call.attributes["source"])).resolve()))
    yield from _outputs(blocks, folder)


def texts(blocks: Sequence[Block]) -> Iterator[str]:
    """Every string in these blocks."""
    for block in blocks:
        yield from block.texts()


def declared(blocks: Sequence[Block], kind: str) -> set[str]:
    """The names of a module's variables, locals, outputs or module calls."""
    if kind == "locals":
        return {plain(name) for block in blocks if block.kind == kind for name in block.attributes}
    return {block.name for block in blocks if block.kind == kind}


def _declared_and_used(blocks: Sequence[Block], kind: str, prefix: str) -> Iterator[str]:
    known, used = declared(blocks, kind), named(texts(blocks), rf"(?<![\w.]){prefix}\.([\w-]+)")
    yield from (f"{prefix}.{name} is not declared" for name in sorted(used - known))
    yield from (f"{prefix}.{name} is not used" for name in sorted(known - used))


def _resources(blocks: Sequence[Block]) -> Iterator[str]:
    known = {(block.kind, *block.labels): block for block in blocks if block.kind in _PREFIX.values()}
    for prefix, kind, name, attribute in sorted(named(texts(blocks), RESOURCE)):
        block = known.get((_PREFIX[prefix], kind, name))
        if block is None:
            yield f"{prefix}{kind}.{name} is not declared"
        elif attribute and not _can_be_read(block, kind, attribute):
            yield f"{prefix}{kind}.{name} has no {attribute}"


_PREFIX = {"": "resource", "data.": "data", "ephemeral.": "ephemeral"}
_EPHEMERAL = {"google_secret_manager_secret_version": {"secret_data"}, "random_password": {"result"}}


def _can_be_read(block: Block, kind: str, attribute: str) -> bool:
    if block.kind == "ephemeral":
        return attribute in _EPHEMERAL[kind]
    found = class_of(block.kind, kind)
    return found is not None and attribute.replace("_", "") in readable(found)


def _loops(blocks: Sequence[Block]) -> Iterator[str]:
    """`each` and `count` only in blocks that have them; resources that have them need an index."""
    for block in blocks:
        if named(block.texts(), r"(?<![\w.])each\.(key|value)") and "for_each" not in block.attributes:
            yield f"{block.name} has no for_each"
        if named(block.texts(), r"(?<![\w.])count\.(index)") and "count" not in block.attributes:
            yield f"{block.name} has no count"
        if block.kind == "resource" and {"count", "for_each"} & block.attributes.keys():
            bare = named(texts(blocks), rf"(?<![\w.])({block.name.replace('.', '[.]')})[.]")
            yield from (f"{name} is named without an index" for name in bare)


def _call(call: Block, inside: Sequence[Block]) -> Iterator[str]:
    given = set(call.attributes) - MODULE_META
    variables = {block.name: block for block in inside if block.kind == "variable"}
    needed = {name for name, block in variables.items() if "default" not in block.attributes}
    yield from (f"module.{call.name} has no variable {name}" for name in sorted(given - variables.keys()))
    yield from (f"module.{call.name} is not given {name}" for name in sorted(needed - given))


def _outputs(blocks: Sequence[Block], folder: Path) -> Iterator[str]:
    calls = {block.name: block for block in blocks if block.kind == "module"}
    used = named(texts(blocks), OUTPUT)
    known = {
        (name, output)
        for name, call in calls.items()
        for output in declared(read((folder / plain(call.attributes["source"])).resolve()), "output")
    }
    yield from (f"module.{name}.{output} is not declared" for name, output in sorted(used - known))
    sources = {name: plain(call.attributes["source"]) for name, call in calls.items()}
    in_use = {(sources[name], output) for name, output in used & known}
    unused = {(sources[name], output) for name, output in known} - in_use
    yield from (f"output {output} of {source} is not used" for source, output in sorted(unused))
