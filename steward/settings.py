"""What the steward reads from its environment (`TIL_...`)."""

from __future__ import annotations

from pydantic import Field

from base.settings import ServerSettings
from tenants.settings import SecretSettings


class StewardSettings(ServerSettings, SecretSettings):
    """`slots_per_worker`: C in `capacity.queue_depth.workers_desired`. `lease_seconds`: as the workers'."""

    slots_per_worker: int = 30
    lease_seconds: float = Field(default=15.0, gt=0)

    @property
    def tick_seconds(self) -> float:
        """The pause between two sweeps: a second, or less for a short lease (see `longest_gap_seconds`)."""
        return min(1.0, self.lease_seconds / 6)
