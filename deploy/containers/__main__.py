"""`make compose-check`: exit code 0 if all checks pass, or if there is no Docker, which is reported."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.containers import checks, images
from deploy.containers.composition import Composition
from deploy.containers.engine import Broken, Engine, NoEngine, find_engine
from deploy.containers.jobs import Client

CHECKOUT = Path(__file__).parent.parent.parent
LIST = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
PACK = ["tar", "--null", "--files-from=-", "--create"]


def main() -> int:
    """Print one line for each check that passed. Returns the exit code."""
    try:
        engine = find_engine()
    except NoEngine as reason:
        print(f"compose-check: skipped: {reason}")
        return 0
    except Broken as broken:
        print(f"compose-check: {broken}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="til-queue-check-") as folder:
        composition = Composition(engine, copy_checkout(Path(folder)), f"til-check-{os.getpid()}")
        try:
            check(engine, composition)
        except (Broken, OSError) as broken:
            print(f"compose-check: {broken}", file=sys.stderr)
            return 1
        finally:
            composition.remove()
            engine.close()
    return 0


def copy_checkout(folder: Path) -> Path:
    """Copy the working tree without ignored files."""
    listed = subprocess.run(LIST, cwd=CHECKOUT, check=True, capture_output=True).stdout.split(b"\0")  # noqa: S603
    existing = b"\0".join(name for name in listed if name and (CHECKOUT / os.fsdecode(name)).is_file())
    packed = subprocess.run(PACK, cwd=CHECKOUT, check=True, input=existing, capture_output=True).stdout  # noqa: S603
    subprocess.run(["tar", "--extract"], cwd=folder, check=True, input=packed)  # noqa: S607
    return folder


def check(engine: Engine, composition: Composition) -> None:
    """Run all checks; each depends on those before it. Raises Broken."""
    composition.prepare()
    say(f"compose file read, profiles {composition.profiles()}")
    images.build(engine, composition.folder)
    say(images.check(engine, composition.secrets()))
    composition.up("--scale", "api=2", "--scale", "worker=2")
    client = checks.new_client(composition)
    say(checks.two_of_each(composition, client))
    say(checks.stops_and_comes_back(composition, client))
    say(checks.monitored(composition))
    say(checks.confined(composition))
    say(checks.worker_image(composition, Client(composition.address("proxy", 8000), client.key)))


def say(line: str) -> None:
    """Print a line without buffering."""
    print(f"compose-check: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
