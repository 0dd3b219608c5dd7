"""Reads a secret X from the file that X_FILE names: files are not shown when a process is inspected."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from base.errors import JobError


class BadSecretFile(JobError):
    """A secret's file can't be used."""


def secret(name: str, environment: Mapping[str, str] | None = None) -> str | None:
    """The value of the variable `name`, or the content of the file that `name`_FILE names; None if unset.

    Line ends at the end of the file are stripped. Raises BadSecretFile.
    """
    environment = os.environ if environment is None else environment
    value, path = environment.get(name), environment.get(f"{name}_FILE")
    if not path:
        return value
    if value:
        raise BadSecretFile(f"{name} and {name}_FILE are both set: leave one out.")
    try:
        return Path(path).read_text().rstrip("\r\n")
    except OSError as error:
        raise BadSecretFile(f"{name}_FILE: {path} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadSecretFile(f"{name}_FILE: {path} is not UTF-8 text.") from None


class SecretFiles(PydanticBaseSettingsSource):
    """A pydantic settings source that reads SecretStr fields from files."""

    def __call__(self) -> dict[str, Any]:
        """The values by field name, or by the field's alias if it has one. Raises BadSecretFile."""
        found = {}
        for name, field in self.settings_cls.model_fields.items():
            value, key, _ = self.get_field_value(field, name)
            if value is not None:
                found[key] = value
        return found

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """(content of its file or None, the field's key, False: it is not JSON)."""
        key = str(field.validation_alias or field_name)
        variable = key if field.validation_alias else f"{self.config.get('env_prefix', '')}{key}".upper()
        has_file = is_secret(field) and os.environ.get(f"{variable}_FILE")
        return secret(variable) if has_file else None, key, False


def is_secret(field: FieldInfo) -> bool:
    """Whether the field is a SecretStr, optional or not."""
    return SecretStr in (field.annotation, *get_args(field.annotation))


class WithSecretFiles(BaseSettings):
    """Settings whose secrets may be in files."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Called by pydantic. Precedence: arguments, files, environment."""
        return init_settings, SecretFiles(settings_cls), env_settings
