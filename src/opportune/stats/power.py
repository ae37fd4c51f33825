"""When will I know: how long an effect takes to be found, said before any data are seen.

The standardised difference of two means walks like a Brownian motion with a drift, whatever reads
it: only the boundaries differ. So one integral (see ``crossed``) answers for the test at the end,
for the planned looks and for the interval that is looked at every day.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from opportune.errors import nearest
from opportune.stats.errors import InvalidSample
from opportune.stats.intervals import TIGHTEST_AT, boundary
from opportune.stats.outlook import Outlook
from opportune.stats.sequential import crossed, group_sequential

__all__ = [
    "ReadOut",
    "Reading",
    "Wait",
    "chance_to_find",
    "days_to_find",
    "smallest_effect",
    "tightest_for",
]

Reading = Literal["any_look", "fixed", "group_sequential"]

MOST_DAYS = 3650
# Looked at on each of so many days; later, days that add a fiftieth find an effect hardly later.
DAILY = 100
GROWTH = 1.02
# A look that adds less than this to the units says the same as the one before.
WORTH_A_LOOK = 1.005
# The largest effect that is looked for: a hundred times as much.
MOST_EFFECT = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOut:
    """How results will be read: "any_look" daily, "fixed" once, or at planned ``looks``.

    ``tightest_at`` belongs to "any_look" (see ``boundary``), ``looks`` to "group_sequential", whose
    alpha is spent in the manner of O'Brien and Fleming.
    """

    method: Reading
    confidence: float = 0.95
    tightest_at: int = TIGHTEST_AT
    looks: int = 10

    def __post_init__(self) -> None:
        if self.method not in get_args(Reading):
            raise InvalidSample(
                f"Unknown method {self.method!r}. {nearest(self.method, get_args(Reading))}"
            )
        if not 1 <= self.looks <= 100:
            raise InvalidSample(f"looks is {self.looks}. Allowed: from 1 to 100.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """By the day ``days``, with ``units`` of both groups, an effect is found with enough power.

    By the day ``typical_days`` it is found in half of all cases: planned looks and an interval that
    holds at any look may stop there, the fixed test may not. All three are None where ``reason``
    says why.
    """

    days: int | None
    units: int | None
    typical_days: int | None
    reason: str


def chance_to_find(outlook: Outlook, effect: float, *, days: int, read_out: ReadOut) -> float:
    """The power: how probable it is that a relative ``effect`` is found by the day ``days``.

    For "any_look" the interval is taken to be looked at daily for 100 days and more and more seldom
    later, so that this is a little too low. It is never below ``Phi(errors - boundary)``, the
    chance of the last day alone. The normal approximation wants some ten rewarded units a group.

    >>> outlook = Outlook.of_rate(0.03, control_share=0.1, units_a_day=2000)
    >>> for method in ("fixed", "group_sequential", "any_look"):
    ...     print(round(chance_to_find(outlook, 0.2, days=60, read_out=ReadOut(method=method)), 2))
    0.95
    0.95
    0.76
    """
    if days < 1:
        raise InvalidSample(f"days is {days}. Allowed: from 1.")
    if outlook.errors(effect, units=outlook.units(days)) == 0:
        return 0.0
    _, found = _curve(outlook, effect, read_out, days=days)
    return found[-1]


def days_to_find(
    outlook: Outlook,
    effect: float,
    *,
    read_out: ReadOut,
    power: float = 0.8,
    most_days: int = MOST_DAYS,
) -> Wait:
    """How long until ``effect`` is found with the chance ``power``, at most ``most_days``.

    >>> outlook = Outlook.of_rate(0.03, control_share=0.1, units_a_day=2000)
    >>> wait = days_to_find(outlook, 0.2, read_out=ReadOut(method="any_look"))
    >>> wait.days, wait.units, wait.typical_days
    (65, 130000, 37)
    """
    _check(power)
    if chance_to_find(outlook, effect, days=most_days, read_out=read_out) < power:
        reason = f"It is not found within {most_days:,} days."
        return Wait(days=None, units=None, typical_days=None, reason=reason)
    last = most_days
    if read_out.method != "any_look":
        last = 1 + bisect_left(
            range(1, most_days),
            power,
            key=lambda days: chance_to_find(outlook, effect, days=days, read_out=read_out),
        )
    looks, found = _curve(outlook, effect, read_out, days=last)
    days, typical = (
        next(day for day, each in zip(looks, found, strict=True) if each >= chance)
        for chance in (power, min(0.5, power))
    )
    return Wait(days=days, units=round(outlook.units(days)), typical_days=typical, reason="")


def smallest_effect(
    outlook: Outlook, *, days: int, read_out: ReadOut, power: float = 0.8
) -> float | None:
    """The smallest rise that is found by the day ``days`` with the chance ``power``, in 3 digits.

    None where not even the largest that can be is found.

    >>> outlook = Outlook.of_rate(0.03, control_share=0.1, units_a_day=2000)
    >>> smallest_effect(outlook, days=60, read_out=ReadOut(method="fixed"))
    0.154
    """
    _check(power)

    def found(effect: float) -> float:
        return chance_to_find(outlook, effect, days=days, read_out=read_out)

    low, high = 0.0, min(MOST_EFFECT, outlook.largest_effect)
    if high == 0 or found(high) < power:
        return None
    while high - low > 1e-4 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if found(middle) < power else (low, middle)
    return float(f"{high:.3g}")


def tightest_for(outlook: Outlook, *, days: int) -> int:
    """The ``tightest_at`` for an interval that is looked at daily until the day ``days``.

    Half of the planned units: the power by that day is nearly the same from there to all of them,
    and large effects are found sooner. It depends on the plan alone, so it is chosen before the
    data are seen.

    >>> tightest_for(Outlook.of_rate(0.03, control_share=0.1, units_a_day=2000), days=60)
    60000
    """
    return max(1, round(outlook.units(days) / 2))


def _check(power: float) -> None:
    if not 0 < power < 1:
        raise InvalidSample(f"power is {power}. Allowed: above 0 and below 1, such as 0.8.")


def _curve(
    outlook: Outlook, effect: float, read_out: ReadOut, *, days: int
) -> tuple[list[int], tuple[float, ...]]:
    """The days of the looks until ``days``, and the chance to have found the effect at each."""
    looks = _worth_a_look(outlook, _days_of_looks(read_out, days))
    units = [outlook.units(day) for day in looks]
    fractions = [each / units[-1] for each in units]
    errors = outlook.errors(effect, units=units[-1])
    return looks, crossed(fractions, _boundaries(read_out, units, fractions), drift=errors)


def _days_of_looks(read_out: ReadOut, days: int) -> list[int]:
    if read_out.method == "fixed":
        return [days]
    if read_out.method == "group_sequential":
        looks = min(read_out.looks, days)
        return [-(-days * look // looks) for look in range(1, looks + 1)]
    found = list(range(1, min(days, DAILY) + 1))
    while found[-1] < days:
        found.append(min(days, int(found[-1] * GROWTH) + 1))
    return found


def _worth_a_look(outlook: Outlook, days: Sequence[int]) -> list[int]:
    kept = [days[0]]
    for day in days[1:]:
        if outlook.units(day) >= outlook.units(kept[-1]) * WORTH_A_LOOK:
            kept.append(day)
    # The last look is one of them, in the place of the one that it repeats.
    if outlook.units(days[-1]) > outlook.units(kept[-1]):
        kept[-1] = days[-1]
    return kept


def _boundaries(
    read_out: ReadOut, units: Sequence[float], fractions: Sequence[float]
) -> Sequence[float]:
    if read_out.method == "group_sequential":
        return group_sequential(fractions, confidence=read_out.confidence).boundaries
    return [
        boundary(
            int(each),
            confidence=read_out.confidence,
            method=read_out.method,
            tightest_at=read_out.tightest_at,
        )
        for each in units
    ]
