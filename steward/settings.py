"""What the steward reads from its environment (`TIL_...`)."""

from __future__ import annotations

from pydantic import Field

from base.settings import ServerSettings
from tenants.settings import SecretSettings


class StewardSettings(ServerSettings, SecretSettings):
    """`slots_per_worker`: C of the autoscaling formula. `lease_seconds`: that of the workers."""

    slots_per_worker: int = 30
    lease_seconds: float = Field(default=15.0, gt=0)

    @property
    def tick_seconds(self) -> float:
        """A second, or with a short lease less, since a break of half a lease counts as an outage."""
        return min(1.0, self.lease_seconds / 6)
