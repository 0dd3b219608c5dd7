"""Settings of the api process, from its environment (`TIL_...`)."""

from __future__ import annotations

from pydantic import Field

from api.group_commit import MOST_WAITING_BYTES
from base.settings import ModelSettings, ServerSettings
from tenants.settings import SecretSettings


class ApiSettings(ServerSettings, SecretSettings, ModelSettings):
    """Sizes in bytes.

    `waiting_bytes`: limit of submissions that wait to be stored, for small and for large ones each.
    `keep_alive_seconds`: how long an idle connection stays open; longer than a load balancer keeps it, or the
    balancer sends requests into connections that are being closed.
    `event_streams`, `event_streams_per_tenant`: how many may be open at once.
    """

    api_host: str = "127.0.0.1"
    api_port: int = 8000
    keep_alive_seconds: int = Field(default=5, ge=1, le=3600)
    body_limit_bytes: int = Field(default=4 * 1024 * 1024, gt=0)
    waiting_bytes: int = Field(default=MOST_WAITING_BYTES, gt=0)
    event_streams: int = Field(default=1000, gt=0)
    event_streams_per_tenant: int = Field(default=500, gt=0)
