"""The digest of a model's weights: over a folder's safetensors, read where it is known, else computed.

`python -m worker.engines.weights FOLDER` writes the digests beside the weights, before they are published to
object storage, where nothing can be computed over them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

DIGESTS = "weights.sha256.json"
BLOB = re.compile(r"[0-9a-f]{64}")
"""In the hub's cache weights are links to blobs, whose names are their SHA-256."""


@dataclass(frozen=True)
class FileDigest:
    """One file: its SHA-256 in hex, its size, and its modification time in nanoseconds."""

    sha256: str
    bytes: int
    modified_ns: int


Digests = dict[str, FileDigest]


def digest(folder: Path, cache_folder: Path | None = None) -> str | None:
    """SHA-256 over the names and SHA-256 digests of a folder's safetensors; None if it can't be known.

    Digests are cached beside the weights or, if that folder can't be written, in `cache_folder`, and are
    valid while size and time of a file stay the same. In a folder without weights the published digests are
    read. Blocks while it hashes: seconds for a gigabyte.
    """
    files = weight_files(folder)
    if not files:
        return _total(_read(folder / DIGESTS))
    files_of_digests = [folder / DIGESTS]
    if cache_folder:
        key = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()
        files_of_digests.append(cache_folder / f"{key}.json")
    known = [_read(path) for path in files_of_digests]
    found = {path.name: _of(path, known) for path in files}
    if not all(_blob(path) for path in files) and found not in known:
        _remember(found, files_of_digests)
    return _total(found)


def publish(folder: Path) -> str | None:
    """Write the digests of a folder's weights beside them. Returns the digest over all. Raises OSError."""
    found = {path.name: _of(path, []) for path in weight_files(folder)}
    _write(found, folder / DIGESTS)
    return _total(found)


def weight_files(folder: Path) -> list[Path]:
    """A folder's safetensors by name."""
    return sorted(folder.glob("*.safetensors"))


def _of(path: Path, known: list[Digests]) -> FileDigest:
    stat = path.stat()
    size, modified_ns = stat.st_size, stat.st_mtime_ns
    for one in (digests[path.name] for digests in known if path.name in digests):
        if (one.bytes, one.modified_ns) == (size, modified_ns):
            return one
    return FileDigest(_blob(path) or _hash(path), size, modified_ns)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _blob(path: Path) -> str | None:
    target = path.readlink() if path.is_symlink() else path
    named = target.parent.name == "blobs" and BLOB.fullmatch(target.name)
    return target.name if named else None


def _total(found: Digests) -> str | None:
    total = hashlib.sha256()
    for name in sorted(found):
        total.update(name.encode() + bytes.fromhex(found[name].sha256))
    return total.hexdigest() if found else None


def _read(path: Path) -> Digests:
    """The digests in a file; none if it is missing or malformed."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))["files"]
        found = {str(name): FileDigest(**value) for name, value in values.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
    return found if all(BLOB.fullmatch(str(one.sha256)) for one in found.values()) else {}


def _remember(found: Digests, files_of_digests: list[Path]) -> None:
    """Write to the first of these files that can be written. If none can, it is hashed again next time."""
    for path in files_of_digests:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(found, path)
            return


def _write(found: Digests, path: Path) -> None:
    files = {name: asdict(one) for name, one in found.items()}
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps({"digest": _total(found), "files": files}, indent=1), encoding="utf-8")
    new.replace(path)


if __name__ == "__main__":
    print(publish(Path(sys.argv[1])) or "There are no safetensors in this folder.")
