"""The Google provider's schema out of its wheel, which is then removed: provider_schema.py wheel target."""

from __future__ import annotations

import io
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

MEMBER = "package/.jsii"


def main() -> None:
    """The schema lies in a tar of the wheel, as JSON of some 130 MB."""
    wheel, target = Path(sys.argv[1]), Path(sys.argv[2])
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".jsii.tgz")]
        packed = archive.read(name)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar, target.open("wb") as out:
        found = tar.extractfile(MEMBER)
        if found is None:
            raise SystemExit(f"{wheel}: no {MEMBER}")
        shutil.copyfileobj(found, out)
    wheel.unlink()


if __name__ == "__main__":
    main()
