"""What the api reads from its environment (`TIL_...`)."""

from __future__ import annotations

from pydantic import Field

from api.group_commit import MOST_WAITING_BYTES
from base.settings import ModelSettings, ServerSettings
from tenants.settings import SecretSettings


class ApiSettings(ServerSettings, SecretSettings, ModelSettings):
    """Sizes in bytes.

    `waiting_bytes`: how much may wait to be stored, of small submits and of large ones each. `event_streams`:
    how many may be open at once, in all and of one tenant.
    """

    api_host: str = "127.0.0.1"
    api_port: int = 8000
    body_limit_bytes: int = Field(default=4 * 1024 * 1024, gt=0)
    waiting_bytes: int = Field(default=MOST_WAITING_BYTES, gt=0)
    event_streams: int = Field(default=1000, gt=0)
    event_streams_per_tenant: int = Field(default=500, gt=0)
