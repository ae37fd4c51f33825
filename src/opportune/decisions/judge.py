"""What one profile may get, and by which rule each thing that it may not get is excluded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

import numpy as np
import pyarrow as pa

from opportune import policies, rules
from opportune.decisions.combinations import parts, quiet_options
from opportune.decisions.model import Dimension, Option, UseCase
from opportune.profiles import ConsentRules
from opportune.rules import Facts

__all__ = ["Excluded", "Judged", "Said", "channels_allowed", "eligibility", "judge", "purpose_of"]

Said = tuple[str, str, int]
"""What a profile said of a channel: its name or '*', the state, and when (microseconds)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """An option, or a combination of several, that a profile may not get; ``because`` in words."""

    options: Mapping[str, str]
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The options that one profile may get, a bitmask for each dimension; and all it may not.

    ``forbidden``: a bit for each forbidden combination of the use case that applies to it.
    """

    options: tuple[int, ...]
    forbidden: int
    excluded: tuple[Excluded, ...]


def judge(
    use_case: UseCase,
    traits: Mapping[str, object],
    day: date,
    *,
    channels: Mapping[str, bool] | None = None,
) -> Judged:
    """Ask every rule of ``use_case`` of one profile, as of the end of the day before ``day``.

    It has one meaning with `snapshot`, which asks them of all profiles at once. ``channels`` are
    those that the profile allows or does not; None: nothing is asked for.
    """
    facts = Facts(now=datetime.combine(day, time(), UTC), traits=traits)
    quiet = quiet_options(use_case).tolist()
    masks: list[int] = []
    excluded: list[Excluded] = []
    for dimension, loud in zip(use_case.dimensions, quiet, strict=True):
        mask = 0
        for place, option in enumerate(dimension.options):
            reasons = list(_barred(dimension, option, facts, day, channels))
            if option.cost and use_case.budget is not None:
                # The day's run shares the budget out; a second hand in it could exceed it.
                reasons.append("it costs money of a budget, which the day's run gives out")
            if not (loud >> place) & 1:
                reasons.append("it is in the quiet hours")
            if reasons:
                because = "; ".join(reasons)
                excluded.append(Excluded(options={dimension.name: option.name}, because=because))
            else:
                mask |= 1 << place
        masks.append(mask)
    forbidden = 0
    for place, each in enumerate(use_case.constraints.forbidden):
        if each.when is None or rules.holds(each.when, facts):
            forbidden |= 1 << place
            together = {name: " or ".join(named) for name, named in each.options.items()}
            why = "forbidden together"
            if each.when is not None:
                why += f" where {rules.words(each.when)}"
            excluded.append(Excluded(options=together, because=why))
    return Judged(options=tuple(masks), forbidden=forbidden, excluded=tuple(excluded))


def channels_allowed(
    use_case: UseCase, consent: ConsentRules | None, said: Sequence[Said]
) -> dict[str, bool] | None:
    """Return which channels a profile allows by what it ``said`` of the purpose; None: not asked.

    Of a channel and every channel the newest statement counts, and of two the refusal.
    """
    place, purpose = use_case.place_of("channel"), purpose_of(use_case, consent)
    if place is None or purpose is None or consent is None:
        return None
    allowed = {}
    for option in use_case.dimensions[place].options:
        told = [(at_us, state) for name, state, at_us in said if name in (option.name, "*")]
        state = max(told)[1] if told else "unknown"
        assumed = state == "unknown" and purpose in consent.assumed
        allowed[option.name] = option.nothing or state == "granted" or assumed
    return allowed


def purpose_of(use_case: UseCase, consent: ConsentRules | None) -> str | None:
    """What a profile must allow before it may get anything; None: nothing."""
    if consent is None:
        return None
    return use_case.activation.purpose or consent.sends or None


def eligibility(use_case: UseCase, judged: Sequence[Judged]) -> policies.Eligibility:
    """Put what several profiles may get into columns; they are too few for several parts."""
    options = np.array([each.options for each in judged], dtype=np.int64)
    forbidden = np.array([each.forbidden for each in judged], dtype=np.int64)
    none = pa.nulls(len(judged), pa.list_(pa.int64()))
    ((_, eligible),) = parts(use_case, options, forbidden, none)
    return eligible


def _barred(
    dimension: Dimension,
    option: Option,
    facts: Facts,
    day: date,
    channels: Mapping[str, bool] | None,
) -> Iterator[str]:
    if not option.is_valid(day):
        first, last = option.valid_from or "the beginning", option.valid_until or "the end"
        yield f"only from {first} to {last}"
    if option.eligible is not None and not rules.holds(option.eligible, facts):
        yield f"only where {rules.words(option.eligible)}"
    if dimension.meaning == "channel" and channels is not None and not channels[option.name]:
        yield "the person does not allow this channel"
