"""Settings of webhooks (`TIL_WEBHOOK_...`), for the api and the steward."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from webhooks.retry_schedule import SCHEDULE_SECONDS
from webhooks.urls import Network


class WebhookSettings(BaseSettings):
    """Where webhooks may go; by default to public https addresses only."""

    model_config = SettingsConfigDict(env_prefix="TIL_WEBHOOK_", extra="ignore")

    allow_http: bool = False
    allowed_networks: Annotated[list[Network], NoDecode] = []
    timeout_seconds: float = Field(default=15.0, gt=0)
    schedule_seconds: Annotated[list[float], NoDecode] = list(SCHEDULE_SECONDS)

    @field_validator("schedule_seconds", mode="before")
    @classmethod
    def seconds(cls, value: object) -> object:
        """Comma-separated pauses after the first attempt, the second, and so on, e.g. `5,300,1800`."""
        return value.split(",") if isinstance(value, str) else value

    @field_validator("allowed_networks", mode="before")
    @classmethod
    def networks(cls, value: object) -> object:
        """Comma-separated networks, e.g. `127.0.0.0/8,10.1.0.0/16`."""
        if isinstance(value, str):
            return [ipaddress.ip_network(part.strip()) for part in value.split(",") if part.strip()]
        return value
