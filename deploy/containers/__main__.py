"""`make compose-check`: exit code 0 when all of it holds, or where no Docker can be had: then it says so."""

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
    """Each line says what was seen to hold."""
    try:
        engine = find_engine()
    except NoEngine as reason:
        print(f"compose-check: left out: {reason}")
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
    """What git knows or would take, as it is now: nothing that is ignored."""
    listed = subprocess.run(LIST, cwd=CHECKOUT, check=True, capture_output=True).stdout.split(b"\0")  # noqa: S603
    there = b"\0".join(name for name in listed if name and (CHECKOUT / os.fsdecode(name)).is_file())
    packed = subprocess.run(PACK, cwd=CHECKOUT, check=True, input=there, capture_output=True).stdout  # noqa: S603
    subprocess.run(["tar", "--extract"], cwd=folder, check=True, input=packed)  # noqa: S607
    return folder


def check(engine: Engine, composition: Composition) -> None:
    """All checks, in an order that builds on each other. Raises Broken."""
    composition.prepare()
    say(f"compose file read, profiles {composition.profiles()}")
    images.build(engine, composition.folder)
    say(images.look(engine, composition.secrets()))
    composition.up("--scale", "api=2", "--scale", "worker=2")
    asking = checks.client(composition)
    say(checks.two_of_each(composition, asking))
    say(checks.stops_and_comes_back(composition, asking))
    say(checks.monitored(composition))
    say(checks.confined(composition))
    say(checks.worker_image(composition, Client(composition.address("proxy", 8000), asking.key)))


def say(line: str) -> None:
    """At once, for whoever watches."""
    print(f"compose-check: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
