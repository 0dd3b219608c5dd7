"""Settings of the steward (`TIL_...`)."""

from __future__ import annotations

from pydantic import Field

from base.settings import ModelSettings, ServerSettings
from capacity.scaling import ScalingSettings
from tenants.settings import SecretSettings


class StewardSettings(ServerSettings, SecretSettings, ModelSettings):
    """`lease_seconds`: the same as the workers'. The others: see `capacity.scaling.ScalingSettings`."""

    lease_seconds: float = Field(default=15.0, gt=0)
    slots_per_worker: int = Field(default=30, gt=0)
    cold_start_seconds: float = Field(default=180.0, ge=0)
    target_drain_seconds: float = Field(default=300.0, gt=0)
    target_load: float = Field(default=0.8, gt=0, le=1)
    scale_in_seconds: float = Field(default=300.0, ge=0)
    workers_min: int = Field(default=0, ge=0)
    workers_max: int = Field(default=100, ge=0)

    def scaling(self) -> ScalingSettings:
        """The settings of the scaling signal."""
        return ScalingSettings(
            self.cold_start_seconds,
            self.target_drain_seconds,
            self.target_load,
            self.slots_per_worker,
            self.scale_in_seconds,
            self.workers_min,
            self.workers_max,
        )

    @property
    def tick_seconds(self) -> float:
        """The pause between two sweeps: a second, or less for a short lease (see `longest_gap_seconds`)."""
        return min(1.0, self.lease_seconds / 6)
