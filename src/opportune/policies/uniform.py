"""Every eligible action equally likely: the yardstick, and what keeps every estimator alive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from opportune.policies.eligible import Eligibility, require_eligible
from opportune.policies.encoding import StoredSpace, pack, space_of, stored_space, unpack
from opportune.policies.evidence import RewardKind
from opportune.policies.model import ActionDistribution, Batch, Costs
from opportune.policies.settings import read_settings
from opportune.policies.space import ActionSpace

__all__ = ["Uniform"]


@dataclass(frozen=True, slots=True)
class Uniform:
    """Uniform play over the eligible combinations; learns nothing."""

    name: ClassVar[str] = "uniform"

    space: ActionSpace

    @classmethod
    def start(
        cls,
        space: ActionSpace,
        *,
        features: int,
        reward: RewardKind,
        settings: Mapping[str, object] = MappingProxyType({}),
    ) -> Uniform:
        """Uniform play over this space, whatever is known or rewarded."""
        read_settings(cls.name, _Settings, settings)
        return cls(space)

    def distribution(
        self,
        features: NDArray[np.float64],
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        """Nothing but the uniform part; features and seed change nothing."""
        require_eligible(self.space, eligible)
        profiles, dimensions = eligible.options.shape
        return ActionDistribution(
            space=self.space,
            support=np.empty((profiles, 0, dimensions), dtype=np.int16),
            weights=np.empty((profiles, 0), dtype=np.float64),
            uniform_share=1.0,
            eligible=eligible,
        )

    def update(self, evidence: Batch) -> Uniform:
        """The same policy: there is nothing to learn."""
        return self

    def to_bytes(self) -> bytes:
        """The space, as in `encoding`."""
        return pack(self.name, _Stored(stored_space(self.space)), {})

    @classmethod
    def from_bytes(cls, data: bytes) -> Uniform:
        """The policy that `to_bytes` wrote; `UnreadablePolicy` for anything else."""
        stored, _ = unpack(data, cls.name, _Stored)
        return cls(space_of(stored.space))


class _Stored(msgspec.Struct, forbid_unknown_fields=True):
    space: StoredSpace


class _Settings(msgspec.Struct):
    pass
