"""What every process reads from its environment, at its entry point only."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServerSettings(BaseSettings):
    """Where PostgreSQL and Redis are, and where this process says how it is."""

    model_config = SettingsConfigDict(env_prefix="TIL_", extra="ignore", populate_by_name=True)

    database_url: SecretStr = Field(validation_alias="DATABASE_URL")
    redis_url: SecretStr = Field(validation_alias="REDIS_URL")
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 0
    log_level: str = "info"


class ModelSettings(BaseSettings):
    """`models`: the aliases that a request may name, comma-separated; the first is the default."""

    model_config = SettingsConfigDict(env_prefix="TIL_", extra="ignore", populate_by_name=True)

    models: str = "default"

    def aliases(self) -> list[str]:
        """The model aliases."""
        return [alias.strip() for alias in self.models.split(",") if alias.strip()]
