"""What a use case has spent: read from its decisions and their rewards, the only truth of it.

An option due when sent is spent with its decision, whatever becomes of the message. One due only
when the reward comes is reserved at its full amount from the decision on; when the reward is
written, it is spent if the reward is above 0 and free again if it is not. So what is spent and
reserved together never passes the total, and what a day decides never passes the day's amount.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import pyarrow as pa

from opportune.decisions.budget import MILLION, Chosen, millionths
from opportune.decisions.model import DECISIONS, UseCase
from opportune.events import Metric
from opportune.storage import Stores, load_sql

__all__ = [
    "BudgetDay",
    "Spent",
    "budget_days",
    "in_unit_of",
    "left_for_a_day",
    "note_day",
    "spent",
]

ROOM = "opportune.decisions"
NO_REWARDS = pa.schema([("decision_id", pa.string()), ("reward", pa.float64())]).empty_table()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What is spent, and what is reserved until rewards are known; in the budget's unit."""

    spent: float
    reserved: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetDay:
    """How one day was decided under its budget.

    ``available``: what the day could spend at most. ``committed``: what its actions cost if every
    reward comes. ``shadow_price``: what a unit of cost was weighed with beside itself.
    ``restricted`` profiles were decided when not everything was affordable any more, ``held_back``
    ones got no decision, as no option was.
    """

    day: date
    available: float
    committed: float
    shadow_price: float
    decided: int
    restricted: int
    held_back: int


def spent(stores: Stores, use_case: UseCase) -> Spent:
    """Return what all versions of ``use_case`` have spent and reserved until now."""
    if not (stores.lake.folder / "decisions").is_dir():
        return Spent(spent=0.0, reserved=0.0)
    stores.lake.create("decisions", DECISIONS)
    is_rewarded = (stores.lake.folder / "rewards").is_dir()
    found = stores.engine.query(
        load_sql(ROOM, "spend"),
        {"use_case": use_case.name},
        tables=dict.fromkeys(("decisions", "rewards") if is_rewarded else ("decisions",)),
        relations={} if is_rewarded else {"rewards": NO_REWARDS},
    )
    gone = held = 0
    for row in found.to_pylist():
        gone += row["decisions"] * millionths(row["cost"])
        due = row["decisions"] * millionths(row["cost_rewarded"])
        held += due if row["is_open"] else 0
        gone += due if row["is_rewarded"] else 0
    return Spent(spent=gone / MILLION, reserved=held / MILLION)


def in_unit_of(use_case: UseCase, metric: Metric) -> UseCase:
    """The same with no unit of the budget's own where it is ``metric``'s, the success metric's.

    Costs in the metric's unit are taken off the reward: the use case maximises profit. Costs in
    another one only share out the budget, by their shadow price.
    """
    if use_case.budget is None or use_case.budget.unit != metric.unit:
        return use_case
    return replace(use_case, budget=replace(use_case.budget, unit=None))


def left_for_a_day(stores: Stores, use_case: UseCase, day: date) -> int | None:
    """Return what ``day`` may still cost, in millionths; None: as much as it likes.

    What its decisions cost that the lake has is taken off: before the day's run, those on request.
    """
    budget = use_case.budget
    if budget is None:
        return None
    left = []
    if budget.per_day is not None:
        left.append(millionths(budget.per_day) - _cost_of_day(stores, use_case, day))
    if budget.total is not None:
        known = spent(stores, use_case)
        left.append(millionths(budget.total) - millionths(known.spent) - millionths(known.reserved))
    return max(min(left), 0)


def _cost_of_day(stores: Stores, use_case: UseCase, day: date) -> int:
    stores.lake.create("decisions", DECISIONS)
    found = stores.engine.query(
        load_sql(ROOM, "spend_of_day"),
        {"use_case": use_case.name, "day": day.isoformat()},
        tables={"decisions": ("day", day, day)},
    )
    return sum(row["decisions"] * millionths(row["cost"]) for row in found.to_pylist())


def note_day(
    stores: Stores, use_case: UseCase, day: date, chosen: Chosen, *, left: int | None
) -> None:
    """Note how a day is decided, for who looks: just before its decisions are written.

    Who is killed in between decides again and notes again, so what was noted last is true.
    """
    if left is None or chosen.shadow_price is None:
        return
    facts = {
        "use_case": use_case.name,
        "day": day,
        "available": left / MILLION,
        "committed": chosen.committed,
        "shadow_price": chosen.shadow_price,
        "decided": len(chosen.rows),
        "restricted": chosen.restricted,
        "held_back": chosen.held_back,
    }
    stores.state.rows(load_sql(ROOM, "note_budget_day"), facts)


def budget_days(stores: Stores, use_case: UseCase, *, most: int) -> list[BudgetDay]:
    """Return the newest days that were decided under a budget, the newest first."""
    facts = {"use_case": use_case.name, "most": most}
    return [BudgetDay(**row) for row in stores.state.rows(load_sql(ROOM, "budget_days"), facts)]
