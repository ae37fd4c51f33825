"""What was chosen for treatment, over time, and for whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from opportune.decisions import Dimension, UseCase
from opportune.reports.by_segment import DaySegment
from opportune.reports.model import Contrast, DayShares, DimensionChoices, Mover, OptionShare
from opportune.reports.summary import DaySummary, edges_of
from opportune.storage import Stores, load_sql

__all__ = ["choices", "contrasts", "movers"]

MOST_MOVERS = 12

# Shares of fewer decisions, or that differ by less, say more about chance than about who got what.
LIMITS = {"fewest": 30, "least": 0.05, "most": 8}

Row = Mapping[str, Any]


def choices(
    use_case: UseCase, days: Sequence[DaySummary | DaySegment]
) -> tuple[DimensionChoices, ...]:
    """Return the share of each option for treatment on ``days``, per dimension and day."""
    treated = [each for each in days if each.choices]
    return tuple(_dimension(dimension, treated) for dimension in use_case.dimensions)


def contrasts(
    stores: Stores, use_case: UseCase, days: Sequence[DaySummary]
) -> tuple[Contrast, ...]:
    """Return where treatment's choices on ``days`` differed most between sides of a feature.

    A feature that is only 0 or 1 is split there, any other in the middle of treatment's decisions,
    at an edge of a scale of two digits. Of each feature and dimension the option with the greatest
    difference counts, if it is 5 percentage points or more; the greatest of all come first, at
    most 8.
    """
    edges = edges_of(stores, use_case, days)
    rows: list[Row] = stores.engine.query(
        load_sql("opportune.reports", "contrasts"), LIMITS, relations={"edges": edges}
    ).to_pylist()
    return tuple(_contrast(row) for row in rows)


def movers(stores: Stores, use_case: UseCase, *, since: date) -> tuple[Mover, ...]:
    """Return what moved the choices since ``since`` most, at most 12.

    They are noted as choices are made; a policy that cannot say why has none.
    """
    facts = {
        "use_case": use_case.name,
        "version": use_case.version,
        "since": since,
        "most": MOST_MOVERS,
    }
    rows = stores.state.rows(load_sql("opportune.reports", "movers"), facts)
    return tuple(Mover(**row) for row in rows if row["moved"] > 0)


def _dimension(dimension: Dimension, days: Sequence[DaySummary | DaySegment]) -> DimensionChoices:
    options = [option.name for option in dimension.options]
    by_day = [
        [day.choices.get(dimension.name, {}).get(name, 0) for name in options] for day in days
    ]
    overall = [sum(column) for column in zip(*by_day, strict=True)]
    return DimensionChoices(
        dimension=dimension.name,
        overall=tuple(
            OptionShare(option=name, decisions=count, share=share)
            for name, count, share in zip(options, overall, _shares(overall), strict=False)
        ),
        days=tuple(
            DayShares(day=day.day, shares=_shares(row))
            for day, row in zip(days, by_day, strict=True)
        ),
    )


def _shares(counts: Sequence[int]) -> tuple[float, ...]:
    total = sum(counts)
    return tuple(count / total if total else 0.0 for count in counts)


def _contrast(row: Row) -> Contrast:
    group, others = _sides(row["feature"], row["cut"] if row["is_number"] else None)
    return Contrast(
        feature=row["feature"],
        dimension=row["dimension"],
        option=row["option"],
        group=group,
        others=others,
        group_decisions=row["above"],
        others_decisions=row["below"],
        group_share=row["share_above"],
        others_share=row["share_below"],
    )


def _sides(feature: str, cut: float | None) -> tuple[str, str]:
    """Say in words who is above and below; without a cut the feature is yes or no."""
    if cut is not None:
        middle = f"{cut:,.0f}" if abs(cut) >= 1000 else f"{cut:.3g}"
        return f"{feature} over {middle}", f"{feature} up to {middle}"
    trait, is_value, value = feature.partition("=")
    if is_value:
        return f"{trait} is {value}", f"{trait} is not {value}"
    return f"{feature}: yes", f"{feature}: no"
