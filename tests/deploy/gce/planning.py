"""`terraform plan` without a cloud: the real Terraform and schema, with a stand-in for the provider."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.deploy.gce import stand_in_provider, wire
from tests.deploy.gce.hcl import GCE, MODULES, read
from tests.deploy.gce.provider import EPHEMERAL, arguments, class_of, computed

RESULTS = {"google_secret_manager_secret_version": "secret_data", "random_password": "result"}
VERSIONS = {"google": "8.7.0", "random": "3.7.2"}


@dataclass(frozen=True)
class Plan:
    """`resources`: planned values by address. `text`: the whole plan as JSON."""

    resources: dict[str, dict[str, Any]]
    text: str

    def values(self, address: str) -> dict[str, Any]:
        """The arguments of one resource. Raises KeyError."""
        return self.resources[address]


class Refused(Exception):
    """Terraform refused the configuration. The message is Terraform's."""


class Planner:
    """An initialised copy of deploy/gce, or of a root that uses its modules, with stand-in providers."""

    def __init__(self, folder: Path, root: Path = GCE) -> None:
        self._root = folder / root.name
        for one in {GCE, root}:
            shutil.copytree(one, folder / one.name, ignore=shutil.ignore_patterns(".terraform*"))
        (self._root / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
        _write_schemas(folder, root)
        for name, version in VERSIONS.items():
            _install(folder, name, version)
        mirror = json.dumps(str(folder / "mirror"))
        config = folder / "terraform.rc"
        config.write_text(
            f"provider_installation {{\n  filesystem_mirror {{\n    path = {mirror}\n  }}\n}}\n"
        )
        self._environment = os.environ | {"TF_CLI_CONFIG_FILE": str(config), "TF_DISABLE_PLUGIN_TLS": "1"}
        self._run("init", "-input=false")

    @property
    def plan_file(self) -> Path:
        """The file of the latest plan."""
        return self._root / "plan"

    @contextmanager
    def changed(self, file: str, old: str, new: str) -> Iterator[None]:
        """Replace a text in one file of the copy, within the block."""
        text = (self._root / file).read_text()
        assert old in text
        (self._root / file).write_text(text.replace(old, new))
        try:
            yield
        finally:
            (self._root / file).write_text(text)

    def validate(self) -> None:
        """Run `terraform validate`. Raises Refused."""
        self._run("validate")

    def plan(self, example: str, **changes: object) -> Plan:
        """Plan an example with these variables changed. Raises Refused."""
        changed = self._root / "changes.tfvars.json"
        changed.write_text(json.dumps(changes))
        self._run(
            "plan",
            "-input=false",
            "-out=plan",
            f"-var-file=examples/{example}.tfvars",
            f"-var-file={changed}",
        )
        text = self._run("show", "-json", "plan")
        found = [
            one for module in _modules(json.loads(text)["planned_values"]["root_module"]) for one in module
        ]
        return Plan({one["address"]: one["values"] for one in found}, text)

    def _run(self, command: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(shutil.which("terraform")), command, "-no-color", *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
            cwd=self._root,
            env=self._environment,
        )
        if done.returncode:
            raise Refused(done.stdout + done.stderr)
        return done.stdout


def _modules(module: dict[str, Any]) -> list[list[dict[str, Any]]]:
    inner = [found for child in module.get("child_modules", []) for found in _modules(child)]
    return [module.get("resources", []), *inner]


def _install(folder: Path, name: str, version: str) -> None:
    """Install a script that runs the stand-in as the provider."""
    home = folder / "mirror" / "registry.terraform.io" / "hashicorp" / name / version / _platform()
    home.mkdir(parents=True)
    script = home / f"terraform-provider-{name}_v{version}"
    script.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" "{stand_in_provider.__file__}" "{folder}" {name}\n'
    )
    script.chmod(0o755)


def _platform() -> str:
    version = subprocess.run(
        ["terraform", "version", "-json"], check=True, capture_output=True, text=True
    ).stdout
    return str(json.loads(version)["platform"])


def _write_schemas(folder: Path, root: Path) -> None:
    """Write, for the stand-in, the schemas of the used resources and the attributes unknown in a plan."""
    used = {block.labels[0] for one in (root, *MODULES) for block in read(one) if block.kind == "resource"}
    classes = {name: found for name in sorted(used) if (found := class_of("resource", name))}
    resources = {name: _block(f"{found}Config", computed(found), top=True) for name, found in classes.items()}
    project = [wire.Attribute(name, "string") for name in ("project", "region")]
    ephemeral = {name: _ephemeral(name) for name in EPHEMERAL}
    for provider, schema in {
        "google": wire.schemas(
            wire.block(project), resources, {name: one for name, one in ephemeral.items() if "google" in name}
        ),
        "random": wire.schemas(b"", {}, {name: one for name, one in ephemeral.items() if "random" in name}),
    }.items():
        (folder / f"{provider}.schema").write_bytes(schema)
        unknown = {name: _unknown(found) for name, found in classes.items()}
        results = {name: [result] for name, result in RESULTS.items()}
        (folder / f"{provider}.computed").write_text(json.dumps({"resources": unknown, "ephemeral": results}))


def _unknown(class_name: str) -> list[str]:
    """Attributes that are known only after an apply: read-only ones, and optional ones with a default."""
    optional = {
        name
        for name, one in arguments(f"{class_name}Config").items()
        if one.block is None and not one.required and not name.endswith("_wo")
    }
    return sorted(optional | computed(class_name).keys())


def _block(type_name: str, readable: dict[str, object], *, top: bool) -> bytes:
    """The schema of a struct. Only top-level attributes can be computed."""
    known = arguments(type_name)
    plain = [
        wire.Attribute(name, one.kind, one.required, top and not name.endswith("_wo"), name.endswith("_wo"))
        for name, one in known.items()
        if one.block is None
    ]
    plain += [wire.Attribute(name, kind, computed=True, optional=False) for name, kind in readable.items()]
    nested = [
        wire.nested_block(name, _block(one.block, {}, top=False), one.many, one.required)
        for name, one in known.items()
        if one.block is not None
    ]
    return wire.block(plain, nested)


def _ephemeral(name: str) -> bytes:
    required, optional = EPHEMERAL[name]
    kinds = {"length": "number"} | dict.fromkeys(("special", "upper", "lower", "numeric"), "bool")
    given = [
        wire.Attribute(one, kinds.get(one, "string"), one in required) for one in sorted(required | optional)
    ]
    return wire.block([*given, wire.Attribute(RESULTS[name], "string", computed=True, optional=False)])
