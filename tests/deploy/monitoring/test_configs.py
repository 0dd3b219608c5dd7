"""Scrape configurations, Alertmanager's routes and the charts' values, checked by promtool and amtool."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.monitoring.cluster_values import files
from deploy.monitoring.dashboards.files import all_dashboards
from tests.deploy.gce.rendering import prometheus_config
from tests.deploy.helm.chart import objects, of_kind
from tests.deploy.monitoring.files import RULES, alerts, load, rules
from tests.monitoring.programs import MONITORING, run

SCRAPES = sorted((MONITORING / "prometheus").glob("*.yml"))
DCGM = load(MONITORING / "values" / "dcgm-exporter.yaml")
STACK = load(MONITORING / "values" / "kube-prometheus-stack.yaml")
STACK_RULES = load(MONITORING / "values" / "rules.yaml")
MANAGED = load(MONITORING / "values" / "managed-prometheus-rules.yaml")
ROLES = {"pod", "service", "endpoints", "endpointslice", "ingress", "node"}


def without_kubernetes(node: Any) -> Any:
    """Replace Kubernetes discovery, which Debian's Prometheus lacks, after a check of its fields."""
    if isinstance(node, list):
        return [without_kubernetes(one) for one in node]
    if not isinstance(node, dict):
        return node
    rest = {key: without_kubernetes(value) for key, value in node.items() if key != "kubernetes_sd_configs"}
    for one in node.get("kubernetes_sd_configs", ()):
        assert one.keys() <= {"role", "namespaces", "selectors"}
        assert one["role"] in ROLES
        rest["file_sd_configs"] = [{"files": ["/nowhere/*.json"]}]
    return rest


@pytest.mark.parametrize("path", SCRAPES, ids=lambda path: path.name)
def test_promtool_accepts_the_scrape_configuration_and_finds_all_rule_files(
    path: Path, tmp_path: Path
) -> None:
    config = without_kubernetes(load(path))
    assert config["rule_files"] == ["/etc/prometheus/rules/*.yml"]
    config["rule_files"] = [str(MONITORING / "rules" / "*.yml")]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    printed = run("promtool", "check", "config", tmp_path / "prometheus.yml")
    assert f"{len(RULES)} rule files found" in printed


COMPOSE = load(MONITORING / "prometheus" / "compose.yml")
VMS = yaml.safe_load(prometheus_config())


@pytest.mark.parametrize("config", [COMPOSE, VMS], ids=["compose", "vms"])
def test_every_process_is_scraped_with_the_labels_of_the_alert_on_down_targets(
    config: dict[str, Any],
) -> None:
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert {"api", "steward", "worker", "node", "gpu"} <= jobs.keys()
    label = {"target_label": "app", "replacement": app_and_job()[0]}
    marked = {name for name, job in jobs.items() if label in job.get("relabel_configs", ())}
    assert {name for name in marked if re.fullmatch(app_and_job()[1], name)} == {"api", "steward", "worker"}


def app_and_job() -> tuple[str, str]:
    """The value of `app` and the pattern of `job` in the alert on down targets."""
    found = re.search(r'up\{app="([^"]+)", job=~"([^"]+)"\}', alerts()["TilTargetDown"]["expr"])
    assert found
    return found[1], found[2]


def test_the_chart_sets_the_labels_of_the_alert_on_down_targets() -> None:
    pods = "app.kubernetes.io/name"
    managed = of_kind(objects("l4-keda"), "PodMonitoring")
    assert len(managed) == 3
    for one in managed:
        assert one["spec"]["targetLabels"]["fromPod"] == [{"from": pods, "to": "app"}]
        assert one["spec"]["selector"]["matchLabels"][pods] == app_and_job()[0]
        assert re.fullmatch(app_and_job()[1], one["metadata"]["name"])
    (monitor,) = of_kind(objects("triton"), "ServiceMonitor")
    relabelings = monitor["spec"]["endpoints"][0]["relabelings"]
    source = "__meta_kubernetes_pod_label_app_kubernetes_io_name"
    assert {"sourceLabels": [source], "targetLabel": "app"} in relabelings
    (name,) = [one["replacement"] for one in relabelings if one["targetLabel"] == "job"]
    assert re.fullmatch(app_and_job()[1], name.replace("$1", "worker"))


def routed(config: Path, **labels: str) -> str:
    pairs = [f"{name}={value}" for name, value in labels.items()]
    return run("amtool", "config", "routes", "test", f"--config.file={config}", *pairs).split()[0]


def test_pages_go_to_the_pager_tickets_to_slack_and_the_watchdog_nowhere() -> None:
    config = MONITORING / "alertmanager.yml"
    assert "SUCCESS" in run("amtool", "check-config", config)
    for severity, receiver in {
        "page": "pager",
        "critical": "pager",
        "ticket": "tickets",
        "none": "discard",
    }.items():
        assert routed(config, alertname="Any", severity=severity) == receiver


def test_the_alerts_of_inhibit_rules_exist() -> None:
    for rule in load(MONITORING / "alertmanager.yml")["inhibit_rules"]:
        for one in (*rule["source_matchers"], *rule["target_matchers"]):
            assert set(re.findall(r'"(.*)"', one)[0].split("|")) <= set(alerts())


def test_the_generated_cluster_files_are_up_to_date() -> None:
    stale = [path.name for path, text in files().items() if path.read_text() != text]
    assert not stale, f"run make generated: {stale}"


def counted(printed: str) -> int:
    return sum(map(int, re.findall(r"(\d+) rules found", printed)))


def test_promtool_and_amtool_accept_the_generated_cluster_files(tmp_path: Path) -> None:
    for name, groups in STACK_RULES["additionalPrometheusRulesMap"].items():
        (tmp_path / f"{name}.yml").write_text(yaml.safe_dump(groups))
    assert counted(run("promtool", "check", "rules", *sorted(tmp_path.glob("*.yml")))) == len(rules())
    (tmp_path / "alertmanager.yaml").write_text(yaml.safe_dump(STACK_RULES["alertmanager"]["config"]))
    assert "SUCCESS" in run("amtool", "check-config", tmp_path / "alertmanager.yaml")
    (tmp_path / "managed.yml").write_text(yaml.safe_dump(MANAGED["spec"]))
    assert counted(run("promtool", "check", "rules", tmp_path / "managed.yml")) == len(rules())


def test_managed_prometheus_gets_cluster_rules_with_intervals() -> None:
    kind = (MANAGED["apiVersion"], MANAGED["kind"], MANAGED["metadata"])
    assert kind == ("monitoring.googleapis.com/v1", "ClusterRules", {"name": "til-queue"})
    assert MANAGED.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert MANAGED["spec"].keys() == {"groups"}
    for group in MANAGED["spec"]["groups"]:
        assert group.keys() == {"name", "interval", "rules"}
        for rule in group["rules"]:
            assert rule.keys() <= {"record", "alert", "expr", "for", "labels", "annotations"}


def test_the_secrets_of_the_receivers_are_mounted() -> None:
    config = json.dumps(STACK_RULES["alertmanager"]["config"])
    files = re.findall(r"/etc/alertmanager/secrets/([^/\"]+)/([^/\"]+)", config)
    assert {secret for secret, _ in files} == set(STACK["alertmanager"]["alertmanagerSpec"]["secrets"])
    comment = (MONITORING / "values" / "kube-prometheus-stack.yaml").read_text()
    for _, key in files:
        assert f"--from-file={key}" in comment


def test_dcgm_exporter_exports_all_used_metrics() -> None:
    lines = (MONITORING / "dcgm" / "counters.csv").read_text().splitlines()
    exported = {line.split(",")[0] for line in lines}
    used = set(
        re.findall(r"DCGM_\w+", "".join([*(rule["expr"] for rule in rules()), *all_dashboards().values()]))
    )
    assert len(used) >= 6
    assert used <= exported
    for line in lines:
        assert re.fullmatch(r"DCGM_FI_[A-Z_]+, (gauge|counter), [^,]+", line)


def test_the_chart_of_dcgm_exporter_gets_the_same_list_of_metrics() -> None:
    assert DCGM["customMetrics"] == (MONITORING / "dcgm" / "counters.csv").read_text()


def test_the_public_address_is_probed_the_same_way_everywhere() -> None:
    values_file = load(MONITORING / "values" / "blackbox-exporter.yaml")
    assert values_file["config"] == load(MONITORING / "blackbox.yml")
    scrapes = [
        *STACK["prometheus"]["prometheusSpec"]["additionalScrapeConfigs"],
        *load(MONITORING / "prometheus" / "gke.yml")["scrape_configs"],
    ]
    probes = [job for job in scrapes if job.get("metrics_path") == "/probe"]
    assert len(probes) == 2
    for job in probes:
        assert job["params"]["module"][0] in values_file["config"]["modules"]


def test_grafana_in_the_cluster_mounts_the_dashboards() -> None:
    grafana = STACK["grafana"]
    (provider,) = grafana["dashboardProviders"]["til-queue.yaml"]["providers"]
    assert provider["options"]["path"] == f"/var/lib/grafana/dashboards/{provider['name']}"
    assert grafana["dashboardsConfigMaps"] == {provider["name"]: "til-queue-dashboards"}
