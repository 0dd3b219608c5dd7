"""Settings of the processes that handle tenants' secrets."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, SecretStr
from pydantic_settings import SettingsConfigDict

from base.secret_files import WithSecretFiles
from tenants.sealing import SecretBox


def _keys(value: SecretStr) -> SecretStr:
    try:
        SecretBox(split(value))
    except ValueError:
        raise ValueError("comma-separated keys as `til-server secret-key` makes them") from None
    return value


def split(value: SecretStr) -> list[str]:
    """The keys, newest first."""
    return [key.strip() for key in value.get_secret_value().split(",") if key.strip()]


class SecretSettings(WithSecretFiles):
    """`secret_keys` (TIL_SECRET_KEYS): encrypt the webhook secrets; the first encrypts, each decrypts."""

    model_config = SettingsConfigDict(env_prefix="TIL_", extra="ignore", hide_input_in_errors=True)

    secret_keys: Annotated[SecretStr, AfterValidator(_keys)] = SecretStr("")

    def box(self) -> SecretBox:
        """A SecretBox with these keys."""
        return SecretBox(split(self.secret_keys))
