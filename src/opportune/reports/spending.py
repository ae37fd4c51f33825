"""What a use case's options cost, what of its budget is left, and what it earned net of costs."""

from __future__ import annotations

from opportune import stats
from opportune.decisions import UseCase, budget_days, in_unit_of, spent
from opportune.events import Metric
from opportune.reports.model import Spending
from opportune.storage import Stores, load_sql

__all__ = ["spending"]

MOST_DAYS = 30
TABLES = ("decisions", "rewards")
NOBODY = {"profiles": 0, "mean": 0.0, "m2": 0.0}


def spending(
    stores: Stores, use_case: UseCase, metric: Metric, *, tightest_at: int
) -> Spending | None:
    """Report the costs of ``use_case``, whose success metric is ``metric``; None: nothing costs.

    ``tightest_at`` is for the interval of the profit, as in ``stats.lift``.
    """
    if use_case.costs is None:
        return None
    budget = in_unit_of(use_case, metric).budget
    known = spent(stores, use_case)
    own_unit = budget.unit if budget is not None else None
    return Spending(
        unit=own_unit or metric.unit,
        per_day=budget.per_day if budget is not None else None,
        total=budget.total if budget is not None else None,
        spent=known.spent,
        reserved=known.reserved,
        days=tuple(budget_days(stores, use_case, most=MOST_DAYS)),
        profit=None if own_unit else _profit(stores, use_case, tightest_at),
    )


def _profit(stores: Stores, use_case: UseCase, tightest_at: int) -> stats.Lift | None:
    """Compare what each profile earned less what it cost, over the mature days of this version."""
    if not all((stores.lake.folder / table).is_dir() for table in TABLES):
        return None
    rows = stores.engine.query(
        load_sql("opportune.reports", "profit"),
        {"use_case": use_case.name, "version": use_case.version},
        tables=dict.fromkeys(TABLES),
    ).to_pylist()
    found = {row["variant"]: row for row in rows}
    treated, held_out = (
        stats.Moments(count=row["profiles"], mean=row["mean"], m2=row["m2"])
        for row in (found.get("treatment", NOBODY), found.get("control", NOBODY))
    )
    return stats.lift(treated, held_out, method="any_look", tightest_at=tightest_at)
