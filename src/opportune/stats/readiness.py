"""Is the audience large enough: asked before a use case starts, so that nobody waits in vain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from opportune.stats.errors import InvalidSample
from opportune.stats.outlook import Outlook
from opportune.stats.power import (
    Reading,
    ReadOut,
    Wait,
    days_to_find,
    smallest_effect,
    tightest_for,
)

__all__ = ["Readiness", "Refusal", "readiness"]

# The normal approximation behind the bounds wants about so many rewarded units in each group.
FEWEST_REWARDED = 10
READINGS: tuple[Reading, ...] = ("any_look", "group_sequential", "fixed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One reason not to start, and what may be done about it, each by itself."""

    reason: str
    remedies: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether to start: ``refusals`` is empty where an effect is found in time.

    ``waits`` says for each way to read the results when the effect is found, ``smallest_effect``
    what the interval at any look finds in time; empty and None where the outlook itself is refused.
    """

    refusals: tuple[Refusal, ...]
    waits: Mapping[Reading, Wait]
    smallest_effect: float | None


def readiness(
    outlook: Outlook,
    effect: float,
    *,
    within_days: int,
    confidence: float = 0.95,
    power: float = 0.8,
) -> Readiness:
    """Say whether a relative ``effect`` is found ``within_days`` with the chance ``power``.

    A use case is refused where nothing can be compared, and where the interval at any look takes
    longer. Raises ``InvalidSample`` for numbers that are none, such as a power of 2.

    >>> outlook = Outlook.of_rate(0.03, control_share=0.1, units_a_day=2000)
    >>> asked = readiness(outlook, 0.2, within_days=90)
    >>> asked.refusals, asked.waits["any_look"].days, asked.smallest_effect
    ((), 61, 0.164)
    >>> asked = readiness(outlook, 0.05, within_days=90)
    >>> print(asked.refusals[0].reason)
    A lift of +5 % is found after 1,114 days, not within 90 days.
    >>> print(asked.refusals[0].remedies[1])
    Look for a lift of +16.4 %, which is found in time.
    """
    if within_days < 1:
        raise InvalidSample(f"within_days is {within_days}. Allowed: from 1.")
    nonsense = _nonsense(outlook, effect, within_days=within_days)
    if nonsense:
        return Readiness(refusals=nonsense, waits={}, smallest_effect=None)
    tightest_at = tightest_for(outlook, days=within_days)
    read_outs = {
        method: ReadOut(method=method, confidence=confidence, tightest_at=tightest_at)
        for method in READINGS
    }
    waits = {
        method: days_to_find(outlook, effect, read_out=each, power=power)
        for method, each in read_outs.items()
    }
    any_look = read_outs["any_look"]
    smallest = smallest_effect(outlook, days=within_days, read_out=any_look, power=power)
    refusals: tuple[Refusal, ...] = ()
    days = waits["any_look"].days
    if days is None or days > within_days:
        even = replace(outlook, control_share=0.5)
        evenly = days_to_find(even, effect, read_out=any_look, power=power, most_days=within_days)
        planned = waits["group_sequential"].days
        after = "is not found" if days is None else f"is found after {days:,} days, not"
        refusals = (
            Refusal(
                reason=f"A lift of {effect * 100:+.4g} % {after} within {within_days:,} days.",
                remedies=_sooner(within_days, evenly.days, planned, smallest),
            ),
        )
    return Readiness(refusals=refusals, waits=waits, smallest_effect=smallest)


def _nonsense(outlook: Outlook, effect: float, *, within_days: int) -> tuple[Refusal, ...]:
    """Why nothing can be compared, as one reason where it explains the others."""
    units = outlook.units(within_days)
    if units < 1:
        return (Refusal(reason="The audience has nobody.", remedies=("Widen the audience.",)),)
    if outlook.mean == 0 or outlook.variance == 0:
        reason = f"One unit earns {outlook.mean:g} and all of them the same: no lift can be seen."
        remedy = "Choose a success metric that some people reach and others do not."
        return (Refusal(reason=reason, remedies=(remedy,)),)
    groups = {"control": outlook.control_share, "treatment": 1 - outlook.control_share}
    for name, share in groups.items():
        if share * units < 1:
            reason = f"{name.capitalize()} has nobody: {share:.4g} of {units:,.0f} people."
            remedy = "Set groups.control_share between 0 and 1, such as 0.1."
            return (Refusal(reason=reason, remedies=(remedy,)),)
    if effect == 0 or not -1 < effect <= outlook.largest_effect:
        reason = f"A lift of {effect * 100:+.4g} % on a mean of {outlook.mean:g} cannot be."
        most = f"{outlook.largest_effect * 100:,.4g}"
        remedy = f"Ask for one above -100 % and at most {most} %, but not 0."
        return (Refusal(reason=reason, remedies=(remedy,)),)
    return tuple(
        _too_few(outlook, name, share, within_days=within_days)
        for name, share in groups.items()
        if share * units * outlook.rewarded_share < FEWEST_REWARDED
    )


def _too_few(outlook: Outlook, name: str, share: float, *, within_days: int) -> Refusal:
    expected = share * outlook.units(within_days) * outlook.rewarded_share
    remedies = [
        f"Give {name} a larger share.",
        "Choose a success metric that more people reach.",
        "Widen the audience.",
    ]
    if outlook.rewarded_share and outlook.units_a_day:
        units = FEWEST_REWARDED / (share * outlook.rewarded_share) - outlook.waiting
        remedies.append(f"Wait {math.ceil(units / outlook.units_a_day):,} days.")
    return Refusal(
        reason=(
            f"{name.capitalize()} expects {expected:.3g} rewarded people within"
            f" {_days(within_days)}; a comparison wants at least {FEWEST_REWARDED}."
        ),
        remedies=tuple(remedies),
    )


def _sooner(
    within_days: int, evenly: int | None, planned: int | None, smallest: float | None
) -> tuple[str, ...]:
    remedies = ["Widen the audience or wait longer."]
    if evenly is not None:
        remedies.append(f"Set groups.control_share to 0.5: that takes {_days(evenly)}.")
    if planned is not None and planned <= within_days:
        remedies.append(f"Plan ten looks instead of daily ones: that takes {_days(planned)}.")
    if smallest is not None:
        remedies.append(f"Look for a lift of {smallest * 100:+.3g} %, which is found in time.")
    return tuple(remedies)


def _days(count: int) -> str:
    return f"{count:,} day{'' if count == 1 else 's'}"
