"""A secret X may lie in a file that X_FILE names: whoever inspects a process sees its environment."""

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
    """The value of the variable `name`, or of the file that `name`_FILE names; None where neither is set.

    The line ends at the end of the file are no part of it. Raises BadSecretFile.
    """
    given = os.environ if environment is None else environment
    value, path = given.get(name), given.get(f"{name}_FILE")
    if not path:
        return value
    if value:
        raise BadSecretFile(f"{name} and {name}_FILE are both set: leave one out.")
    try:
        return Path(path).read_text().rstrip("\r\n")
    except OSError as error:
        raise BadSecretFile(f"{name}_FILE: {path} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadSecretFile(f"{name}_FILE: {path} is no text in UTF-8.") from None


class SecretFiles(PydanticBaseSettingsSource):
    """The fields of settings that are a SecretStr, from their files."""

    def __call__(self) -> dict[str, Any]:
        """By field, or by its alias where it has one. Raises BadSecretFile."""
        found = {}
        for name, field in self.settings_cls.model_fields.items():
            value, key, _ = self.get_field_value(field, name)
            if value is not None:
                found[key] = value
        return found

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """What its file holds, or None; the field's key; and that it is not JSON."""
        key = str(field.validation_alias or field_name)
        variable = key if field.validation_alias else f"{self.config.get('env_prefix', '')}{key}".upper()
        by_file = is_secret(field) and os.environ.get(f"{variable}_FILE")
        return secret(variable) if by_file else None, key, False


def is_secret(field: FieldInfo) -> bool:
    """Whether the field holds a secret."""
    return SecretStr in (field.annotation, *get_args(field.annotation))


class WithSecretFiles(BaseSettings):
    """Settings whose secrets may be given by file."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Called by pydantic: what is passed wins, then files, then the environment."""
        return init_settings, SecretFiles(settings_cls), env_settings
