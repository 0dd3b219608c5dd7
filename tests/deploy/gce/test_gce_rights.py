"""IAM, secrets, and network access."""

from __future__ import annotations

from collections.abc import Iterator

from tests.deploy.gce.hcl import GCE, MODULES, Block, local_values, named, only, plain, read

DATA = GCE / "modules" / "data"
FIREWALL = GCE / "modules" / "firewall"
ANYWHERE = "0.0.0.0/0"


def every(kind: str) -> list[Block]:
    """All blocks of a kind, in the root and in the modules."""
    return [block for folder in (GCE, *MODULES) for block in read(folder) if block.kind == kind]


def resources(*kinds: str) -> list[Block]:
    """All resources of these kinds."""
    return [block for block in every("resource") if block.labels[0].removeprefix("google_") in kinds]


def inside(blocks: list[Block]) -> Iterator[Block]:
    """These blocks and all nested ones."""
    for block in blocks:
        yield block
        yield from inside(block.blocks)


def test_the_database_has_point_in_time_recovery_and_is_private() -> None:
    settings = only(DATA, "resource", "google_sql_database_instance").child("settings")
    backups = settings.child("backup_configuration").attributes
    assert backups["enabled"] is backups["point_in_time_recovery_enabled"] is True
    network = settings.child("ip_configuration").attributes
    assert network["ipv4_enabled"] is False
    assert plain(network["ssl_mode"]) == "ENCRYPTED_ONLY"
    assert "ssl=verify-ca" in local_values(DATA)["postgres"]


def test_redis_requires_a_password_and_tls() -> None:
    redis = only(DATA, "resource", "google_redis_instance").attributes
    assert redis["auth_enabled"] is True
    assert plain(redis["transit_encryption_mode"]) == "SERVER_AUTHENTICATION"
    assert plain(redis["redis_configs"]) == {"maxmemory-policy": "volatile-ttl"}
    assert "rediss://" in local_values(DATA)["redis_url"]
    assert "ssl_cert_reqs=required" in local_values(DATA)["redis_url"]


def test_each_role_has_a_service_account_with_only_these_rights() -> None:
    assert "google_service_account.main[role].email" in str(local_values(GCE)["accounts"])
    grants = {
        (plain(block.attributes["role"]), plain(block.attributes["member"]), "for_each" in block.attributes)
        for block in every("resource")
        if block.labels[0].endswith("_iam_member")
    }
    each, one = "serviceAccount:${local.accounts[each.key]}", 'serviceAccount:${local.accounts["monitoring"]}'
    assert grants == {
        ("roles/logging.logWriter", each, True),
        ("roles/artifactregistry.reader", each, True),
        ("roles/storage.objectViewer", "serviceAccount:${local.accounts[local.worker_role]}", False),
        ("${google_project_iam_custom_role.discover.id}", one, False),
        ("roles/monitoring.metricWriter", one, False),
        ("roles/secretmanager.secretAccessor", "serviceAccount:${var.accounts[each.value.role]}", True),
        ("roles/secretmanager.secretAccessor", "serviceAccount:${local.accounts[local.worker_role]}", False),
    }
    discover = only(GCE, "resource", "google_project_iam_custom_role").attributes
    assert plain(discover["permissions"]) == ["compute.instances.list"]


def test_only_the_roles_that_need_a_secret_can_read_it() -> None:
    readers = local_values(DATA)["readers"]
    assert {name for name, roles in readers.items() if "worker" in roles} == {"database-url", "redis-url"}
    assert readers["secret-keys"] == ["api"]
    for name, machine in local_values(GCE)["machines"].items():
        role = "api" if name == "together" else name
        assert all(role in readers[secret] for secret in machine["secrets"]), name


def test_no_secret_value_is_in_the_state() -> None:
    versions = resources("secret_manager_secret_version")
    assert len(versions) == len(local_values(DATA)["readers"])
    for block in versions:
        assert "secret_data" not in block.attributes
        assert {"secret_data_wo", "secret_data_wo_version"} <= block.attributes.keys()
    user = only(DATA, "resource", "google_sql_user").attributes
    assert "password" not in user
    assert "google_secret_manager_secret_version.database_password" in user["password_wo"]
    made = {block.name for block in every("resource") if block.labels[0].startswith("random_")}
    assert made == set()


def test_the_first_sealing_key_is_32_bytes_in_base64() -> None:
    key = only(DATA, "ephemeral", "random_password", "sealing").attributes
    assert (key["length"], key["special"]) == (32, False)
    stored = only(DATA, "resource", "google_secret_manager_secret_version", "secret_keys").attributes
    assert stored["secret_data_wo"] == "${base64encode(ephemeral.random_password.sealing.result)}"


def test_no_output_contains_a_secret() -> None:
    secret = r"(ephemeral\.|auth_string|password|secret_data|random_\w+)"
    for block in every("output"):
        assert named(block.texts(), secret) == set(), block.name
    root = [block for block in read(GCE) if block.kind == "output"]
    assert named(iter(['"${ephemeral.random_password.a.result}"']), secret)
    assert {block.name for block in root if "secrets" in block.name} == {"secrets"}
    output = only(DATA, "output", "secrets").attributes["value"]
    assert "secret.secret_id" in output


def test_no_vm_has_an_external_address() -> None:
    machines = resources("compute_instance", "compute_region_instance_template")
    assert len(machines) == 4
    for block in machines:
        assert "access_config" not in {inner.kind for inner in inside(block.blocks)}, block.name
        metadata = plain(block.attributes["metadata"])
        assert metadata["enable-oslogin"] == metadata["block-project-ssh-keys"] == "TRUE"
        assert block.child("shielded_instance_config").attributes["enable_secure_boot"] is True
        assert "service_account" in {inner.kind for inner in block.blocks}


def test_other_ingress_is_denied() -> None:
    rules = resources("compute_firewall")
    [deny] = [rule for rule in rules if rule.children("deny")]
    assert plain(deny.attributes["source_ranges"]) == [ANYWHERE]
    ranges = local_values(FIREWALL)
    assert ranges["iap_ranges"] == ["35.235.240.0/20"]
    for rule in rules:
        if rule is deny:
            continue
        source = rule.attributes.get("source_ranges") or rule.attributes.get("source_service_accounts")
        assert source, rule.name
        assert ANYWHERE not in str(source), rule.name
        for allowed in rule.children("allow"):
            assert allowed.attributes["ports"], rule.name
