"""The packages of the product; the arrows between them are contracts in pyproject.toml."""

ROOMS = (
    "base", "til", "capacity", "tenants", "jobs", "webhooks", "signals", "steward", "admin", "api", "worker",
)  # fmt: skip
