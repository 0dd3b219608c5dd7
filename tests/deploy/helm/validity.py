"""Strict validation of objects by the schemas of Kubernetes and of custom resources."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
from jsonschema import Draft202012Validator
from kubernetes_validate import utils
from referencing import Registry, Resource

from tests.deploy.helm.chart import Object

SCHEMAS = Path(__file__).parents[1] / "schemas"

utils.schema_contents = cache(utils.schema_contents)  # otherwise several megabytes are read for each object


def problems(one: Object, version: str) -> list[str]:
    """Errors of the object in that Kubernetes version; custom resources have one schema for all."""
    kind = one["kind"]
    if (SCHEMAS / f"{kind}.json").exists():
        errors = _validator(kind).iter_errors(one)
        return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in errors]
    try:
        used = kubernetes_validate.validate(one, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(map(str, error.path))}: {error.message}"]
    except kubernetes_validate.SchemaNotFoundError as error:
        return [error.message]
    assert used == version
    return []


@cache
def _validator(kind: str) -> Draft202012Validator:
    return Draft202012Validator(_schema(f"{kind}.json"), registry=Registry(retrieve=_retrieve))  # type: ignore[call-arg]


def _retrieve(name: str) -> Resource[Any]:
    return Resource.from_contents(_schema(name))


def _schema(name: str) -> Any:
    return json.loads((SCHEMAS / name).read_text())
