"""What a use case's options cost, what of its budget is left, and what it earned net of costs."""

from __future__ import annotations

from opportune import stats
from opportune.decisions import UseCase, budget_days, in_unit_of, spent
from opportune.events import Metric
from opportune.reports.model import Spending
from opportune.storage import Stores

__all__ = ["spending"]

MOST_DAYS = 30


def spending(
    stores: Stores, use_case: UseCase, metric: Metric, profit: stats.Lift
) -> Spending | None:
    """Report the costs of ``use_case``, whose success metric is ``metric``; None: nothing costs.

    ``profit`` is the lift of rewards less costs; it is left out where costs have their own unit.
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
        profit=None if own_unit else profit,
    )
