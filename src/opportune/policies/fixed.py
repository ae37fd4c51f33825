"""Business as usual: the same action for everybody."""

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

__all__ = ["Fixed"]


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always the named action; learns nothing.

    Where an option of it is not eligible for a profile, that dimension falls back to the
    profile's first eligible option; where that combination is forbidden, the whole action falls
    back to the first eligible one.

    >>> from opportune.policies import Dimension, Eligibility
    >>> space = ActionSpace(dimensions=(Dimension(name="hour", options=("09", "18")),))
    >>> eligible = Eligibility(options=np.array([[3], [1]]))
    >>> play = Fixed(space, ("18",)).distribution(np.zeros((2, 0)), eligible, seed=1)
    >>> play.support[:, 0, 0].tolist()
    [1, 0]
    """

    name: ClassVar[str] = "fixed"

    space: ActionSpace
    action: tuple[str, ...]

    def __post_init__(self) -> None:
        self.space.indices(self.action)

    @classmethod
    def start(
        cls,
        space: ActionSpace,
        *,
        features: int,
        reward: RewardKind,
        settings: Mapping[str, object] = MappingProxyType({}),
    ) -> Fixed:
        """The action that the setting ``action`` names, else the first option everywhere."""
        action = read_settings(cls.name, _Settings, settings).action
        return cls(space, action or tuple(each.options[0] for each in space.dimensions))

    def distribution(
        self,
        features: NDArray[np.float64],
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        """All of the probability on one action; features and seed change nothing."""
        require_eligible(self.space, eligible)
        wanted = np.array(self.space.indices(self.action))
        options = eligible.options
        lowest = options & -options
        first = np.bitwise_count(lowest - 1)
        actions = np.where((options >> wanted) & 1, wanted, first).astype(np.int16)
        barred = np.flatnonzero(~eligible.allows(self.space, actions))
        if len(barred):
            actions[barred] = eligible.take(barred).at(self.space, np.zeros(len(barred)))
        return ActionDistribution(
            space=self.space,
            support=actions[:, None, :],
            weights=np.broadcast_to(np.float64(1), (len(eligible), 1)),
            uniform_share=0.0,
            eligible=eligible,
        )

    def update(self, evidence: Batch) -> Fixed:
        """The same policy: there is nothing to learn."""
        return self

    def to_bytes(self) -> bytes:
        """The space and the action, as in `encoding`."""
        return pack(self.name, _Stored(stored_space(self.space), self.action), {})

    @classmethod
    def from_bytes(cls, data: bytes) -> Fixed:
        """The policy that `to_bytes` wrote; `UnreadablePolicy` for anything else."""
        stored, _ = unpack(data, cls.name, _Stored)
        return cls(space_of(stored.space), stored.action)


class _Stored(msgspec.Struct, forbid_unknown_fields=True):
    space: StoredSpace
    action: tuple[str, ...]


class _Settings(msgspec.Struct):
    """What a use case may set.

    Parameters
    ----------
    action:
        One option for each dimension, by name; if left out, the first option of each.
    """

    action: tuple[str, ...] = ()
