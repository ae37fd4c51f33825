"""What a profile's value is made of: sends, how often they bring anything, and how much then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from opportune import stats
from opportune.reports.model import VariantResult
from opportune.reports.summary import DaySummary

__all__ = ["Driver", "Drivers", "drivers"]

NAMES = {
    "sends": ("sends per profile", "decisions with something to send"),
    "rate": ("rewarded share", "rewarded decisions per send"),
    "value": ("value of a rewarded decision", ""),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """One factor of the value per profile, in both groups.

    ``contribution`` is what it adds to the difference of the values, in their unit; all of them add
    up to it.
    """

    name: str
    title: str
    unit: str
    treatment: float
    control: float
    contribution: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drivers:
    """The value per profile over the mature days as a product: sends x rate x value.

    Control is sent nothing; its sends are those that its decisions would have made. ``factors`` is
    empty where ``reason`` says why; ``answer`` says in one sentence what counted most.
    """

    treatment: float
    control: float
    difference: float
    factors: tuple[Driver, ...]
    answer: str
    reason: str = ""


def drivers(
    days: Sequence[DaySummary], treatment: VariantResult, control: VariantResult, *, unit: str
) -> Drivers:
    """Take apart what each profile of both groups earned on the mature days of ``days``."""
    mature = [each for each in days if each.mature]
    treated, held_out = (_factors(mature, result) for result in (treatment, control))
    reason = _reason(treated, "treatment") or _reason(held_out, "control")
    difference = treatment.reward_mean - control.reward_mean
    factors: tuple[Driver, ...] = ()
    if not reason:
        added = stats.contributions(treated, held_out)
        factors = tuple(
            Driver(
                name=name,
                title=title,
                unit=said or f"{unit} per rewarded decision",
                treatment=treated[name],
                control=held_out[name],
                contribution=added[name],
            )
            for name, (title, said) in NAMES.items()
        )
    return Drivers(
        treatment=treatment.reward_mean,
        control=control.reward_mean,
        difference=difference,
        factors=factors,
        answer=_answer(factors, difference, unit) if factors else reason,
        reason=reason,
    )


def _factors(mature: Sequence[DaySummary], result: VariantResult) -> dict[str, float]:
    """The factors of one group; their product is ``reward_mean``. Empty where one is missing."""
    sends = rewarded = 0
    for each in mature:
        decided, earned = each.variants.get(result.variant), (each.earned or {}).get(result.variant)
        sends += decided.sends if decided else 0
        rewarded += earned.rewarded if earned else 0
    if not (result.profiles and sends and rewarded):
        return {}
    return {
        "sends": sends / result.profiles,
        "rate": rewarded / sends,
        "value": result.reward_sum / rewarded,
    }


def _reason(factors: dict[str, float], group: str) -> str:
    if factors:
        return ""
    return (
        f"What made the difference cannot be said: over the mature days {group} has no sends, or "
        "none of its decisions was rewarded."
    )


def _answer(factors: Sequence[Driver], difference: float, unit: str) -> str:
    most = max(factors, key=lambda each: abs(each.contribution))
    return (
        f"Treatment's profiles brought {difference:+.4g} {unit} each beside control's; most of it "
        f"comes from the {most.title} ({most.contribution:+.4g})."
    )
