"""What treatment earns beside each other group: control, random, champion, holdout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from opportune import stats
from opportune.decisions import UseCase, expected_shares
from opportune.events import Metric
from opportune.reports.answer import percent
from opportune.reports.model import MetricOfReport, VariantResult
from opportune.reports.performance import by_group
from opportune.reports.summarise import days_of
from opportune.reports.summary import DaySummary
from opportune.storage import Stores

__all__ = ["GroupComparison", "GroupResult", "Groups", "beside", "groups"]

TREATMENT = "treatment"
FEWEST_REWARDED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupResult:
    """What one group earned on all mature days, and the share of the audience it should have."""

    expected_share: float
    share: float
    result: VariantResult


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupComparison:
    """Treatment beside ``group``: the lift with its interval, and the same in one sentence."""

    group: str
    lift: stats.Lift
    sample_ratio: stats.SampleRatio
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """The groups of one version of a use case, as of ``as_of``.

    ``sample_ratio`` tests the sizes of all groups together, None where there is one group alone.
    """

    as_of: datetime
    use_case: str
    version: int
    metric: MetricOfReport
    groups: tuple[GroupResult, ...]
    comparisons: tuple[GroupComparison, ...]
    sample_ratio: stats.SampleRatio | None


def groups(stores: Stores, use_case: UseCase, metric: Metric, *, now: datetime) -> Groups:
    """Compare treatment with each other group over the mature days of the newest version.

    Each interval holds at any look, by itself; where several groups are compared, one of them shows
    a difference by chance more often than one alone. A comparison whose two groups have not the
    sizes they should have says so in place of a verdict.
    """
    earned, tightest_at = by_group(days_of(stores, use_case))
    shares = expected_shares(use_case)
    counts = {group: earned[group][0].profiles if group in earned else 0 for group in shares}
    everybody = sum(counts.values())
    found = tuple(
        GroupResult(
            expected_share=share,
            share=counts[group] / everybody if everybody else 0.0,
            result=earned[group][0] if group in earned else _nobody(group),
        )
        for group, share in shares.items()
    )
    others = [group for group in shares if group != TREATMENT]
    return Groups(
        as_of=now,
        use_case=use_case.name,
        version=use_case.version,
        metric=MetricOfReport(name=metric.name, unit=metric.unit, window_days=metric.window_days),
        groups=found,
        comparisons=tuple(
            _compared(group, earned, shares, tightest_at=tightest_at, unit=metric.unit)
            for group in others
        ),
        sample_ratio=stats.sample_ratio(counts, shares) if others else None,
    )


def beside(
    group: str, days: Sequence[DaySummary], use_case: UseCase, metric: Metric
) -> GroupComparison | None:
    """Compare treatment with one ``group`` over mature ``days``; None: there is no such group."""
    shares = expected_shares(use_case)
    if group not in shares:
        return None
    earned, tightest_at = by_group(days)
    return _compared(group, earned, shares, tightest_at=tightest_at, unit=metric.unit)


def _nobody(group: str) -> VariantResult:
    return VariantResult(variant=group, profiles=0, rewarded=0, reward_sum=0.0, reward_mean=0.0)


def _compared(
    group: str,
    earned: Mapping[str, tuple[VariantResult, stats.Moments]],
    shares: Mapping[str, float],
    *,
    tightest_at: int,
    unit: str,
) -> GroupComparison:
    none = stats.Moments(count=0, mean=0.0, m2=0.0)
    pair = {name: earned.get(name, (_nobody(name), none)) for name in (TREATMENT, group)}
    lift = stats.lift(
        pair[TREATMENT][1], pair[group][1], method="any_look", tightest_at=tightest_at
    )
    both = shares[TREATMENT] + shares[group]
    ratio = stats.sample_ratio(
        {name: result.profiles for name, (result, _) in pair.items()},
        {name: shares[name] / both for name in pair},
    )
    fewest = min((result for result, _ in pair.values()), key=lambda each: each.rewarded)
    return GroupComparison(
        group=group,
        lift=lift,
        sample_ratio=ratio,
        answer=_answer(group, lift, ratio, fewest, unit),
    )


def _answer(
    group: str, lift: stats.Lift, ratio: stats.SampleRatio, fewest: VariantResult, unit: str
) -> str:
    if ratio.suspicious:
        return f"No verdict: treatment and {group} have not the sizes they were meant to have."
    if fewest.rewarded < FEWEST_REWARDED:
        return (
            f"Too early to say: {fewest.rewarded} profiles of {fewest.variant} brought {unit} so "
            f"far, a comparison wants at least {FEWEST_REWARDED}."
        )
    if lift.relative is None or lift.low is None or lift.high is None:
        return f"Too early to say: {lift.reason}"
    found = (
        f"{percent(lift.relative, signed=True)} {unit} per profile (between "
        f"{percent(lift.low, signed=True)} and {percent(lift.high, signed=True)})."
    )
    if lift.low > 0:
        return f"Treatment did better than {group}: {found}"
    if lift.high < 0:
        return f"Treatment did worse than {group}: {found}"
    return f"No difference seen between treatment and {group}: {found}"
