"""Settings of every process, read from the environment at its entry point only."""

from __future__ import annotations

import sys
from typing import TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from base.secret_files import BadSecretFile, WithSecretFiles

S = TypeVar("S", bound=BaseSettings)


class ServerSettings(WithSecretFiles):
    """Addresses of PostgreSQL and Redis, where this process serves its metrics, and its log level."""

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

    @field_validator("models")
    @classmethod
    def at_least_one(cls, models: str) -> str:
        """Refuse a list without an alias."""
        if not models.replace(",", " ").strip():
            raise ValueError("Name at least one alias.")
        return models

    def aliases(self) -> list[str]:
        """The model aliases."""
        return [alias.strip() for alias in self.models.split(",") if alias.strip()]


def read(settings: type[S]) -> S:
    """Read the settings from the environment. Exits with one line for each that is invalid."""
    try:
        return settings()
    except BadSecretFile as error:
        sys.exit(str(error))
    except ValidationError as error:
        prefix = settings.model_config.get("env_prefix", "")
        sys.exit("\n".join(_sentence(prefix, str(found["loc"][0]), found["msg"]) for found in error.errors()))


def _sentence(prefix: str, name: str, message: str) -> str:
    """Name the field by its environment variable. An alias, in capitals, is one already."""
    return f"{name if name.isupper() else f'{prefix}{name}'.upper()}: {message}."
