"""What one profile may get, and by which rule each thing that it may not get is excluded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

import numpy as np
from numpy.typing import NDArray

from opportune import policies, rules
from opportune.decisions.combinations import quiet_options
from opportune.decisions.constraints import Forbidden
from opportune.decisions.model import Option, UseCase
from opportune.rules import Facts

__all__ = ["Excluded", "Judged", "eligibility", "judge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """An option, or a combination of several, that a profile may not get; ``because`` in words."""

    options: Mapping[str, str]
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The options that one profile may get, a bitmask for each dimension; and all it may not.

    ``forbidden``: a bit for each of the use case's forbidden combinations that holds for it.
    """

    options: tuple[int, ...]
    forbidden: int
    excluded: tuple[Excluded, ...]


def judge(use_case: UseCase, traits: Mapping[str, object], day: date) -> Judged:
    """Ask every rule of ``use_case`` of one profile, as of the end of the day before ``day``.

    It has one meaning with `snapshot`, which asks them of all profiles at once. Under a budget,
    options that cost anything are left to the day's run.
    """
    facts = Facts(now=datetime.combine(day, time(), UTC), traits=traits)
    quiet = quiet_options(use_case)
    masks: list[int] = []
    excluded: list[Excluded] = []
    for d, dimension in enumerate(use_case.dimensions):
        mask = 0
        for place, option in enumerate(dimension.options):
            because = _why_not(use_case, option, facts, day)
            if not because and not (int(quiet[d]) >> place) & 1:
                because = "it is in the quiet hours"
            if because:
                excluded.append(Excluded(options={dimension.name: option.name}, because=because))
            else:
                mask |= 1 << place
        masks.append(mask)
    bits = 0
    for place, each in enumerate(use_case.constraints.forbidden):
        if each.when is None or rules.holds(each.when, facts):
            bits |= 1 << place
            excluded.extend(_combinations(each))
    return Judged(options=tuple(masks), forbidden=bits, excluded=tuple(excluded))


def eligibility(judged: Sequence[Judged], broken: NDArray[np.bool_]) -> policies.Eligibility:
    """Put what several profiles may get into columns.

    ``broken``: which combinations break each forbidden one, see `combinations.breaking`.
    """
    options = np.array([each.options for each in judged], dtype=np.int64)
    bits = np.array([each.forbidden for each in judged], dtype=np.int64)
    if not bits.any():
        return policies.Eligibility(options=options)
    patterns, pattern = np.unique(bits, return_inverse=True)
    allowed = np.ones((len(patterns), broken.shape[1]), dtype=bool)
    for place, row in enumerate(broken):
        allowed[((patterns >> place) & 1).astype(bool)] &= ~row
    return policies.Eligibility(
        options=options, combinations=allowed, pattern=pattern.reshape(-1).astype(np.int64)
    )


def _why_not(use_case: UseCase, option: Option, facts: Facts, day: date) -> str:
    """Why the option may not be given to anybody, or to this profile; empty: it may."""
    if not option.is_valid(day):
        first, last = option.valid_from or "ever", option.valid_until or "ever"
        return f"it is valid from {first} to {last}"
    if option.eligible is not None and not rules.holds(option.eligible, facts):
        return f"only where {rules.words(option.eligible)}"
    if option.cost and use_case.budget is not None:
        # The day's run shares the budget out; a second hand in it could exceed it.
        return "it costs money of a budget, which the day's run gives out"
    return ""


def _combinations(forbidden: Forbidden) -> Iterator[Excluded]:
    because = "the combination is forbidden"
    if forbidden.when is not None:
        because += f" where {rules.words(forbidden.when)}"
    named = {name: " or ".join(options) for name, options in forbidden.options.items()}
    yield Excluded(options=named, because=because)
