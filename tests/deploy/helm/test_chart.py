"""Lint, the schema of the values, and names that must exist in the product."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from helm_python import HelmError, HelmValuesError, lint

from tests.deploy.helm.chart import (
    CHART,
    ROOT,
    SETS,
    VERSIONS,
    Object,
    chart,
    containers,
    main_of,
    named,
    objects,
    parse,
    pods,
    render,
    values,
)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", SETS)
def test_lint_finds_nothing(name: str, version: str) -> None:
    report = lint(CHART, values(name), strict=True, kube_version=f"v{version}.0")
    assert report["errors"] == []
    assert [found["error"] for found in report["messages"]] == ["icon is recommended"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"apis": {}}, "apis"),
    ({"api": {"replica": 2}}, "replica"),
    ({"workers": {"gemma": {"scaling": {"min": 1}}}}, "min"),
    ({"workers": {"Gemma": {}}}, "Gemma"),
    ({"worker": {"engine": "tgi"}}, "engine"),
    ({"worker": {"startupSeconds": 10}}, "startupSeconds"),
    ({"scaling": {"by": "cron"}}, "by"),
    ({"ingress": {"timeoutSeconds": 30}}, "timeoutSeconds"),
    ({"image": {"apiDigest": "latest"}}, "apiDigest"),
    ({"network": {"database": {"cidrs": [], "port": 5432}}}, "cidrs"),
    ({"settings": {"TIL_SECRET_KEYS": "x"}}, "TIL_SECRET_KEYS"),
    ({"worker": {"settings": {"TIL_OPENAI_KEY": "x"}}}, "TIL_OPENAI_KEY"),
    ({"settings": {"PATH": "/"}}, "PATH"),
]


@pytest.mark.parametrize(("given", "named_in_message"), REFUSED)
def test_unknown_and_wrong_values_are_refused(given: dict[str, Any], named_in_message: str) -> None:
    with pytest.raises(HelmValuesError, match=named_in_message):
        chart().validate_schema(given)


def test_the_schema_has_exactly_the_values() -> None:
    schema = chart().schema
    assert schema is not None
    loaded = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(schema["properties"]) - {"global"} == set(loaded)
    worker = schema["$defs"]["worker"]
    assert set(worker["properties"]) == set(loaded["worker"])
    for name, section in schema["properties"].items():
        if "properties" in section:
            assert set(section["properties"]) == set(loaded[name])
    assert list(_open_objects(schema)) == []


def _open_objects(schema: Any, path: str = "") -> Any:
    """Paths of the schema that allow unknown members."""
    if isinstance(schema, dict):
        if "properties" in schema and schema.get("additionalProperties") is not False and path:
            yield path
        for key, value in schema.items():
            yield from _open_objects(value, f"{path}/{key}")


MISSING: list[tuple[dict[str, Any], str]] = [
    ({}, "weights.path is missing"),
    ({"worker": {"weights": {"path": "a"}}}, "weights.bucket is missing"),
    ({"worker": {"engine": "openai"}}, "openai.url is missing"),
    ({"worker": {"engine": "outline", "triton": {"enabled": True}}}, "triton needs the engine openai"),
    ({"worker": {"engine": "outline"}, "scaling": {"by": "keda"}}, "scaling.keda.prometheus"),
    ({"worker": {"engine": "outline"}, "ingress": {"enabled": True}}, "ingress.host"),
    ({"worker": {"engine": "outline"}, "defaultModel": "b"}, "is not an alias in workers"),
    ({"worker": {"engine": "outline", "scaling": {"minReplicas": 9}}}, "minReplicas is above maxReplicas"),
]


@pytest.mark.parametrize(("given", "message"), MISSING)
def test_invalid_combinations_are_refused_with_a_message(given: dict[str, Any], message: str) -> None:
    with pytest.raises(HelmError, match=message):
        render(given)


@pytest.mark.parametrize("name", SETS)
def test_every_variable_that_is_set_is_documented(name: str) -> None:
    documented = (ROOT / "docs" / "operate.md").read_text()
    found = {
        entry["name"].removesuffix("_FILE")
        for pod in pods(objects(name)).values()
        for one in containers(pod)
        for entry in one.get("env", [])
    }
    ours = {variable for variable in found if variable.startswith("TIL_")}
    assert {variable for variable in ours if f"`{variable}`" not in documented} == set()
    assert ours, "none was found"


@pytest.mark.parametrize("name", SETS)
def test_every_process_and_profile_that_is_started_exists(name: str) -> None:
    found = [one for pod in pods(objects(name)).values() for one in containers(pod)]
    commands = [one["command"][3:] if one["command"][:2] == ["sh", "-c"] else one["command"] for one in found]
    started = {command[2] for command in commands if command[:2] == ["python3", "-m"]}
    assert started == {"api", "worker", "steward"}
    assert all((ROOT / process / "__main__.py").exists() for process in started)
    for entry in [entry for one in found for entry in one.get("env", []) if entry["name"] == "TIL_PROFILE"]:
        assert (ROOT / "worker" / "profiles" / f"{entry['value']}.toml").exists()


def balancer(found: list[Object]) -> Any:
    """The spec of the BackendConfig."""
    return named(found, "BackendConfig", "-api")["spec"]


def test_the_load_balancer_uses_healthz_and_a_timeout_longer_than_any_request() -> None:
    found = objects("l4-keda")
    assert balancer(found)["timeoutSec"] > 60
    assert balancer(found)["healthCheck"]["requestPath"] == "/healthz"
    sleep = main_of(found, "-api")["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert balancer(found)["connectionDraining"]["drainingTimeoutSec"] >= sleep
    service = named(found, "Service", "-api")["metadata"]["annotations"]
    assert service["cloud.google.com/backend-config"] == '{"default": "til-queue-api"}'
    ingress = named(found, "Ingress", "-api")["metadata"]["annotations"]
    for kind, annotation in {
        "ManagedCertificate": "networking.gke.io/managed-certificates",
        "FrontendConfig": "networking.gke.io/v1beta1.FrontendConfig",
    }.items():
        assert named(found, kind, "-api")["metadata"]["name"] == ingress[annotation]


def test_nodes_are_spot_first_then_on_demand() -> None:
    spec = named(objects("l4-keda"), "ComputeClass", "-gpu")["spec"]
    assert [rule["spot"] for rule in spec["priorities"]] == [True, False]
    assert {rule["location"]["locationPolicy"] for rule in spec["priorities"]} == {"ANY"}
    assert spec["nodePoolAutoCreation"] == {"enabled": True}
    assert spec["whenUnsatisfiable"] == "DoNotScaleUp"


def test_the_migration_runs_before_the_other_pods() -> None:
    found = objects("l4-keda")
    hooks = {
        one["kind"]: one["metadata"]["annotations"]
        for one in found
        if one["metadata"].get("annotations", {}).get("helm.sh/hook") == "pre-install,pre-upgrade"
    }
    assert set(hooks) == {"Job", "ServiceAccount", "SecretProviderClass", "ConfigMap"}
    weights = {kind: int(annotations["helm.sh/hook-weight"]) for kind, annotations in hooks.items()}
    assert all(weights["Job"] > weights[kind] for kind in set(hooks) - {"Job"})


def test_helm_test_uses_the_service_of_the_api() -> None:
    pod = named(objects("l4-keda"), "Pod", "-test")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (program,) = pod["spec"]["containers"][0]["args"]
    compile(program, "helm test", "exec")
    assert re.search(r'"http://(\S+?)"', program)[1] == "til-queue-api"  # type: ignore[index]


def test_weights_in_the_image_use_their_own_tag() -> None:
    given = values("l4-hpa")
    given["worker"]["weights"] = {"from": "image"}
    given["workers"] = {"gemma": {}}
    given["defaultModel"] = ""
    given["image"]["workerTag"] = "0.1.0-weights"
    found = parse(render(given))
    worker, api = main_of(found, "-gemma"), main_of(found, "-api")
    assert worker["image"].endswith("/til-queue-worker:0.1.0-weights")
    assert api["image"].endswith("/til-queue-api:0.1.0")
    assert "TIL_MODEL" not in {entry["name"] for entry in worker["env"]}, "the image sets it"


def test_api_and_steward_get_the_models_of_the_workers() -> None:
    given = values("l4-hpa")
    for first, expected in {"": "gemma,small", "gemma": "gemma,small", "small": "small,gemma"}.items():
        found = parse(render(given | {"defaultModel": first}))
        for ending in ("-api", "-steward"):
            assert {"name": "TIL_MODELS", "value": expected} in main_of(found, ending)["env"]
