"""What a use case earned over control, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from opportune import stats
from opportune.decisions import UseCase, stopped
from opportune.events import Metric
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
from opportune.reports.spending import spending
from opportune.storage import Stores, load_sql

__all__ = ["by_group", "begun_with", "headline", "performance"]

MOST_DAYS = 90
# The interval is tightest at so many times the profiles of the first day: between an audience that
# stays the same and one that is new on each day of two months it is at most a tenth too wide.
TIMES_FIRST_DAY = 4
TABLES = ("decisions", "rewards")

Row = Mapping[str, Any]
NO_DAYS: Row = {
    "decided_days": 0,
    "mature_days": 0,
    "oldest_immature_day": None,
    "first_day_decisions": None,
}
NOBODY: Row = {"profiles": 0, "rewarded": 0, "reward_sum": 0.0, "reward_mean": 0.0, "m2": 0.0}


def performance(stores: Stores, use_case: UseCase, metric: Metric, *, now: datetime) -> Performance:
    """Report on ``use_case`` in its newest version, whose success metric is ``metric``.

    One unit of the comparison is one profile: its rewards summed over the mature days, which are
    those whose rewards are complete. Other versions of the use case do not count, as what they
    could choose and who was in control may have been different.
    """
    evidence = _evidence(stores, use_case, metric)
    verdict, sentence = answer(evidence)
    stop = stopped(stores.state, use_case.name)
    return Performance(
        as_of=now,
        use_case=use_case.name,
        title=use_case.title,
        version=use_case.version,
        metric=evidence.metric,
        verdict=verdict,
        answer=sentence,
        decided_days=evidence.decided_days,
        mature_days=evidence.mature_days,
        treatment=evidence.treatment,
        control=evidence.control,
        control_share=evidence.control_share,
        lift=evidence.lift,
        sample_ratio=evidence.sample_ratio,
        days=_days(stores, use_case),
        spending=spending(stores, use_case, metric, tightest_at=evidence.tightest_at),
        stopped=stop.reason if stop is not None else "",
        state=use_case.state,
        shadow=_shadow(stores, use_case),
        begun_with=begun_with(stores, use_case),
    )


def headline(stores: Stores, use_case: UseCase, metric: Metric, *, now: datetime) -> Headline:
    """Say the verdict on ``use_case`` in one sentence, as `performance` does."""
    verdict, sentence = answer(_evidence(stores, use_case, metric))
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
        shadow=_shadow(stores, use_case),
    )


def begun_with(stores: Stores, use_case: UseCase) -> BegunWith | None:
    """Return what the newest policy knew before its use case began; None: nothing."""
    facts = {"use_case": use_case.name, "version": use_case.version}
    rows = stores.state.rows(load_sql("opportune.reports", "begun_with"), facts)
    return BegunWith(**rows[0]) if rows else None


def _evidence(stores: Stores, use_case: UseCase, metric: Metric) -> Evidence:
    totals = next(iter(_rows(stores, use_case, "totals")), NO_DAYS)
    by_variant = {row["variant"]: row for row in _rows(stores, use_case, "variants")}
    treated = by_variant.get("treatment", NOBODY)
    held_out = by_variant.get("control", NOBODY)
    tightest_at = _tightest_at(totals["first_day_decisions"])
    return Evidence(
        metric=MetricOfReport(name=metric.name, unit=metric.unit, window_days=metric.window_days),
        treatment=_variant("treatment", treated),
        control=_variant("control", held_out),
        control_share=use_case.control_share,
        lift=stats.lift(
            _moments(treated), _moments(held_out), method="any_look", tightest_at=tightest_at
        ),
        tightest_at=tightest_at,
        outlook=_outlook(treated, held_out, mature_days=totals["mature_days"]),
        sample_ratio=_sample_ratio(use_case, treated["profiles"], held_out["profiles"]),
        decided_days=totals["decided_days"],
        mature_days=totals["mature_days"],
        oldest_immature_day=totals["oldest_immature_day"],
        aa=use_case.aa,
    )


def by_group(
    stores: Stores, use_case: UseCase
) -> tuple[dict[str, tuple[VariantResult, stats.Moments]], int]:
    """Return what each group earned over the mature days, and where an interval is tightest."""
    totals = next(iter(_rows(stores, use_case, "totals")), NO_DAYS)
    earned = {
        row["variant"]: (_variant(row["variant"], row), _moments(row))
        for row in _rows(stores, use_case, "variants")
    }
    return earned, _tightest_at(totals["first_day_decisions"])


def _tightest_at(first_day_decisions: int | None) -> int:
    """Chosen from what is known before any reward is: how many were decided for on the first day.

    Erasing people changes it by as little as it changes the evidence.
    """
    return TIMES_FIRST_DAY * first_day_decisions if first_day_decisions else stats.TIGHTEST_AT


def _outlook(treated: Row, held_out: Row, *, mature_days: int) -> stats.Outlook | None:
    """Expect as much of every day to come as of the mature ones."""
    control, everybody = _moments(held_out), treated["profiles"] + held_out["profiles"]
    if mature_days == 0 or control.count < 2 or control.mean < 0:
        return None
    return stats.Outlook(
        mean=control.mean,
        variance=control.variance,
        rewarded_share=held_out["rewarded"] / control.count,
        control_share=control.count / everybody,
        units_a_day=everybody / mature_days,
    )


def _rows(stores: Stores, use_case: UseCase, query: str, most_days: int | None = None) -> list[Row]:
    if not all((stores.lake.folder / table).is_dir() for table in TABLES):
        # Before the first start of a worker: nothing was decided, and nothing is broken.
        return []
    parameters: dict[str, object] = {"use_case": use_case.name, "version": use_case.version}
    if most_days is not None:
        parameters["most_days"] = most_days
    found = stores.engine.query(
        load_sql("opportune.reports", query),
        parameters,
        tables=dict.fromkeys(TABLES),
    )
    rows: list[Row] = found.to_pylist()
    return rows


def _variant(variant: str, row: Row) -> VariantResult:
    return VariantResult(
        variant=variant,
        profiles=row["profiles"],
        rewarded=row["rewarded"],
        reward_sum=row["reward_sum"],
        reward_mean=row["reward_mean"],
    )


def _moments(row: Row) -> stats.Moments:
    return stats.Moments(count=row["profiles"], mean=row["reward_mean"], m2=row["m2"])


def _sample_ratio(use_case: UseCase, treated: int, held_out: int) -> stats.SampleRatio | None:
    if use_case.control_share == 0:
        return None
    # Other groups are compared by themselves.
    control = use_case.control_share / (1 - use_case.random_share - use_case.champion_share)
    return stats.sample_ratio(
        {"treatment": treated, "control": held_out},
        {"treatment": 1 - control, "control": control},
    )


def _days(stores: Stores, use_case: UseCase) -> tuple[DayResult, ...]:
    by_day: dict[date, dict[str, Row]] = {}
    for row in _rows(stores, use_case, "days", MOST_DAYS):
        by_day.setdefault(row["day"], {})[row["variant"]] = row
    return tuple(_day(day, variants) for day, variants in by_day.items())


def _day(day: date, variants: Mapping[str, Row]) -> DayResult:
    treated = variants.get("treatment")
    return DayResult(
        day=day,
        mature=any(row["matured"] for row in variants.values()),
        treatment=_day_of_variant(treated),
        control=_day_of_variant(variants.get("control")),
        exploration_share=treated["exploration_share"] if treated else None,
    )


def _day_of_variant(row: Row | None) -> DayOfVariant:
    if row is None:
        return DayOfVariant(decisions=0, reward_mean=None)
    return DayOfVariant(decisions=row["decisions"], reward_mean=row["reward_mean"])


def _shadow(stores: Stores, use_case: UseCase) -> Shadow | None:
    rows = _rows(stores, use_case, "shadow")
    return Shadow(**rows[0]) if rows and rows[0]["decisions"] else None
