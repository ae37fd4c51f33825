"""The lift less what is explained by what profiles brought before anything was decided of them."""

from __future__ import annotations

from collections.abc import Mapping

from opportune import stats
from opportune.reports.answer import Evidence, percent
from opportune.reports.earlier import EARLIER_DAYS
from opportune.reports.model import AdjustedForEarlier
from opportune.reports.over_time import NOBODY, moments_of
from opportune.reports.summary import Totals

__all__ = ["adjusted"]

# Below that, "narrower" says more about rounding than about the interval.
LEAST = 0.005


def adjusted(evidence: Evidence, totals: Mapping[str, Totals]) -> AdjustedForEarlier | None:
    """Return the lift of ``evidence`` once more, with CUPED; ``totals`` are those it is made of.

    None where there is no plain interval, where the groups have not their sizes, or where nobody
    asked what each profile brought before. The verdict stays that of the plain lift: which of both
    says more is known only afterwards.
    """
    groups = [totals.get(name, NOBODY) for name in ("treatment", "control")]
    ratio = evidence.sample_ratio
    if evidence.lift.low is None or ratio is None or ratio.suspicious:
        return None
    if any(each.earlier_profiles < each.profiles for each in groups):
        return None
    treated, held_out = map(_joint, groups)
    if treated.covariate.m2 + held_out.covariate.m2 == 0:
        said = (
            f"Nothing to adjust for: in the {EARLIER_DAYS} days before its first decision every "
            f"profile brought the same, {treated.covariate.mean:g} {evidence.metric.unit}."
        )
        return _of(None, explained=0.0, narrower=0.0, said=said)
    found = stats.adjusted_lift(
        treated, held_out, method="any_look", tightest_at=evidence.tightest_at
    )
    if found.reason:
        said = f"Not adjusted for the {EARLIER_DAYS} days before the first decision: {found.reason}"
        return _of(None, explained=0.0, narrower=0.0, said=said)
    narrower = 1 - _width(found.lift) / _width(found.plain)
    said = _sentence(found, narrower, unit=evidence.metric.unit)
    return _of(found.lift, explained=found.explained_share, narrower=narrower, said=said)


def _joint(totals: Totals) -> stats.JointMoments:
    earlier = stats.Moments(
        count=totals.earlier_profiles, mean=totals.earlier_mean, m2=max(0.0, totals.earlier_m2)
    )
    return stats.JointMoments(
        outcome=moments_of(totals), covariate=earlier, comoment=totals.comoment
    )


def _of(
    lift: stats.Lift | None, *, explained: float, narrower: float, said: str
) -> AdjustedForEarlier:
    return AdjustedForEarlier(
        days=EARLIER_DAYS, lift=lift, explained_share=explained, narrower=narrower, answer=said
    )


def _width(lift: stats.Lift) -> float:
    return (lift.high or 0.0) - (lift.low or 0.0)


def _sentence(found: stats.AdjustedLift, narrower: float, *, unit: str) -> str:
    lift, days = found.lift, f"{EARLIER_DAYS} days"
    explained = percent(found.explained_share, signed=False)
    change = "as wide as without"
    if abs(narrower) >= LEAST:
        change = f"{percent(abs(narrower), signed=False)} {'narrower' if narrower > 0 else 'wider'}"
    return (
        f"With what each profile brought in the {days} before its first decision taken into "
        f"account: {percent(lift.relative or 0.0, signed=True)} {unit} per profile (between "
        f"{percent(lift.low or 0.0, signed=True)} and {percent(lift.high or 0.0, signed=True)}). "
        f"The interval is {change}: these {days} explain {explained} of what sets profiles apart."
    )
