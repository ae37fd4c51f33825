"""What one profile may get, and by which rule each thing that it may not get is excluded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

import numpy as np

from opportune import policies, rules
from opportune.decisions.model import UseCase
from opportune.rules import Facts

__all__ = ["Excluded", "Judged", "eligibility", "judge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """An option, or a combination of several, that a profile may not get; ``because`` in words."""

    options: Mapping[str, str]
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The options that one profile may get, a bitmask for each dimension; and all it may not."""

    options: tuple[int, ...]
    excluded: tuple[Excluded, ...]


def judge(use_case: UseCase, traits: Mapping[str, object], day: date) -> Judged:
    """Ask every rule of ``use_case`` of one profile, as of the end of the day before ``day``.

    It has one meaning with `snapshot`, which asks them of all profiles at once.
    """
    facts = Facts(now=datetime.combine(day, time(), UTC), traits=traits)
    masks: list[int] = []
    excluded: list[Excluded] = []
    for dimension in use_case.dimensions:
        mask = 0
        for place, option in enumerate(dimension.options):
            if option.eligible is None or rules.holds(option.eligible, facts):
                mask |= 1 << place
            else:
                because = f"only where {rules.words(option.eligible)}"
                excluded.append(Excluded(options={dimension.name: option.name}, because=because))
        masks.append(mask)
    return Judged(options=tuple(masks), excluded=tuple(excluded))


def eligibility(judged: Sequence[Judged]) -> policies.Eligibility:
    """Put what several profiles may get into columns."""
    return policies.Eligibility(options=np.array([each.options for each in judged], dtype=np.int64))
