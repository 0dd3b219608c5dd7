"""Prints a project's dependencies, one per line: `dependencies.py pyproject.toml [more ...]`."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path(sys.argv[1]).read_text())["project"]
print("\n".join([*project["dependencies"], *sys.argv[2:]]))
