"""What a use case earned over control, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from opportune import stats
from opportune.decisions import UseCase, stopped
from opportune.events import Metric
from opportune.reports.adjusted import adjusted
from opportune.reports.answer import Evidence, answer
from opportune.reports.model import (
    BegunWith,
    DayOfVariant,
    DayResult,
    Headline,
    MetricOfReport,
    Performance,
    Shadow,
    VariantResult,
)
from opportune.reports.over_time import NOBODY, moments_of, tightest_at
from opportune.reports.spending import spending
from opportune.reports.summarise import days_of
from opportune.reports.summary import DaySummary, Totals
from opportune.storage import Stores, load_sql

__all__ = ["begun_with", "by_group", "evidence", "headline", "performance", "shadow_of"]

MOST_DAYS = 90


def performance(
    stores: Stores,
    use_case: UseCase,
    metric: Metric,
    *,
    now: datetime,
    known: Sequence[DaySummary] | None = None,
) -> Performance:
    """Report on ``use_case`` in its newest version, whose success metric is ``metric``.

    One unit of the comparison is one profile: its rewards summed over the mature days, which are
    those whose rewards are complete. Other versions of the use case do not count, as what they
    could choose and who was in control may have been different. ``known`` are its days, if they are
    at hand.
    """
    known = days_of(stores, use_case, metric) if known is None else known
    found = evidence(known, use_case, metric)
    verdict, sentence = answer(found)
    stop = stopped(stores.state, use_case.name)
    return Performance(
        as_of=now,
        use_case=use_case.name,
        title=use_case.title,
        version=use_case.version,
        metric=found.metric,
        verdict=verdict,
        answer=sentence,
        decided_days=found.decided_days,
        mature_days=found.mature_days,
        treatment=found.treatment,
        control=found.control,
        control_share=found.control_share,
        lift=found.lift,
        sample_ratio=found.sample_ratio,
        days=tuple(map(_day, known[-MOST_DAYS:])),
        spending=spending(stores, use_case, metric, _profit(found, known)),
        stopped=stop.reason if stop is not None else "",
        state=use_case.state,
        shadow=shadow_of(stores, use_case),
        begun_with=begun_with(stores, use_case),
        adjusted=adjusted(found, _newest_totals([each for each in known if each.mature])),
    )


def headline(stores: Stores, use_case: UseCase, metric: Metric, *, now: datetime) -> Headline:
    """Say the verdict on ``use_case`` in one sentence, as `performance` does."""
    verdict, sentence = answer(evidence(days_of(stores, use_case), use_case, metric))
    stop = stopped(stores.state, use_case.name)
    return Headline(
        as_of=now,
        use_case=use_case.name,
        title=use_case.title,
        version=use_case.version,
        verdict=verdict,
        answer=sentence,
        stopped=stop.reason if stop is not None else "",
        state=use_case.state,
        shadow=shadow_of(stores, use_case),
    )


def begun_with(stores: Stores, use_case: UseCase) -> BegunWith | None:
    """Return what the newest policy knew before its use case began; None: nothing."""
    facts = {"use_case": use_case.name, "version": use_case.version}
    rows = stores.state.rows(load_sql("opportune.reports", "begun_with"), facts)
    return BegunWith(**rows[0]) if rows else None


def evidence(days: Sequence[DaySummary], use_case: UseCase, metric: Metric) -> Evidence:
    """Return what a verdict on ``use_case`` depends on, from the sums of its days, oldest first."""
    mature = [each for each in days if each.mature]
    by_variant = _newest_totals(mature)
    treated = by_variant.get("treatment", NOBODY)
    held_out = by_variant.get("control", NOBODY)
    tightest = tightest_at(days)
    return Evidence(
        metric=MetricOfReport(name=metric.name, unit=metric.unit, window_days=metric.window_days),
        treatment=_variant("treatment", treated),
        control=_variant("control", held_out),
        control_share=use_case.control_share,
        lift=stats.lift(
            moments_of(treated), moments_of(held_out), method="any_look", tightest_at=tightest
        ),
        tightest_at=tightest,
        outlook=_outlook(treated, held_out, mature_days=len(mature)),
        sample_ratio=_sample_ratio(use_case, treated.profiles, held_out.profiles),
        decided_days=len(days),
        mature_days=len(mature),
        oldest_immature_day=next((each.day for each in days if not each.mature), None),
        aa=use_case.aa,
    )


def by_group(
    days: Sequence[DaySummary],
) -> tuple[dict[str, tuple[VariantResult, stats.Moments]], int]:
    """Return what each group earned over the mature days, and where an interval is tightest."""
    totals = _newest_totals([each for each in days if each.mature])
    earned = {
        variant: (_variant(variant, each), moments_of(each)) for variant, each in totals.items()
    }
    return earned, tightest_at(days)


def _newest_totals(mature: Sequence[DaySummary]) -> Mapping[str, Totals]:
    return (mature[-1].totals or {}) if mature else {}


def _profit(evidence: Evidence, days: Sequence[DaySummary]) -> stats.Lift:
    """Compare what each profile earned less what it cost, over the mature days of this version."""
    found = _newest_totals([each for each in days if each.mature])
    treated, held_out = (
        stats.Moments(count=each.profiles, mean=each.net_mean, m2=each.net_m2)
        for each in (found.get("treatment", NOBODY), found.get("control", NOBODY))
    )
    return stats.lift(treated, held_out, method="any_look", tightest_at=evidence.tightest_at)


def _outlook(treated: Totals, held_out: Totals, *, mature_days: int) -> stats.Outlook | None:
    """Expect as much of every day to come as of the mature ones."""
    control, everybody = moments_of(held_out), treated.profiles + held_out.profiles
    if mature_days == 0 or control.count < 2 or control.mean < 0:
        return None
    return stats.Outlook(
        mean=control.mean,
        variance=control.variance,
        rewarded_share=held_out.rewarded / control.count,
        control_share=control.count / everybody,
        units_a_day=everybody / mature_days,
    )


def _variant(variant: str, totals: Totals) -> VariantResult:
    return VariantResult(
        variant=variant,
        profiles=totals.profiles,
        rewarded=totals.rewarded,
        reward_sum=totals.reward_sum,
        reward_mean=totals.reward_mean,
    )


def _sample_ratio(use_case: UseCase, treated: int, held_out: int) -> stats.SampleRatio | None:
    if use_case.control_share == 0:
        return None
    # Other groups are compared by themselves.
    control = use_case.control_share / (1 - use_case.random_share - use_case.champion_share)
    return stats.sample_ratio(
        {"treatment": treated, "control": held_out},
        {"treatment": 1 - control, "control": control},
    )


def _day(known: DaySummary) -> DayResult:
    treated = known.variants.get("treatment")
    return DayResult(
        day=known.day,
        mature=known.mature,
        treatment=_day_of_variant(known, "treatment"),
        control=_day_of_variant(known, "control"),
        exploration_share=treated.explored / treated.decisions if treated else None,
    )


def _day_of_variant(known: DaySummary, variant: str) -> DayOfVariant:
    decided = known.variants.get(variant)
    earned = (known.earned or {}).get(variant)
    return DayOfVariant(
        decisions=decided.decisions if decided else 0,
        reward_mean=earned.reward_sum / earned.decisions if earned else None,
    )


def shadow_of(stores: Stores, use_case: UseCase) -> Shadow | None:
    """Return what this version decided in shadow; None: nothing."""
    if not (stores.lake.folder / "decisions").is_dir():
        return None
    facts = {"use_case": use_case.name, "version": use_case.version}
    rows = stores.engine.query(
        load_sql("opportune.reports", "shadow"), facts, tables={"decisions": None}
    ).to_pylist()
    return Shadow(**rows[0]) if rows[0]["decisions"] else None
