"""Business as usual: the same action for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from opportune.policies.eligible import require_eligible
from opportune.policies.encoding import StoredSpace, pack, space_of, stored_space, unpack
from opportune.policies.evidence import RewardKind
from opportune.policies.model import ActionDistribution, ActionSpace, Batch

__all__ = ["Fixed"]


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always the named action; learns nothing.

    Where an option of it is not eligible for a profile, that dimension falls back to the
    profile's first eligible option.

    >>> from opportune.policies import Dimension, probability
    >>> space = ActionSpace(dimensions=(Dimension(name="hour", options=("09", "18")),))
    >>> play = Fixed(space, ("18",)).distribution(np.zeros((2, 0)), np.array([[3], [1]]), seed=1)
    >>> play.support[:, 0, 0].tolist()
    [1, 0]
    """

    name: ClassVar[str] = "fixed"

    space: ActionSpace
    action: tuple[str, ...]

    def __post_init__(self) -> None:
        self.space.indices(self.action)

    @classmethod
    def start(cls, space: ActionSpace, *, features: int, reward: RewardKind) -> Fixed:
        """The first option of every dimension: business as usual, unless told otherwise."""
        return cls(space, tuple(dimension.options[0] for dimension in space.dimensions))

    def distribution(
        self, features: NDArray[np.float64], eligible: NDArray[np.int64], *, seed: int
    ) -> ActionDistribution:
        """All of the probability on one action; features and seed change nothing."""
        require_eligible(self.space, eligible)
        wanted = np.array(self.space.indices(self.action))
        lowest = eligible & -eligible
        first = np.bitwise_count(lowest - 1)
        actions = np.where((eligible >> wanted) & 1, wanted, first).astype(np.int16)
        return ActionDistribution(
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
