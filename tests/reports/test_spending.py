"""What a use case cost, and what it earned net of that."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time
from types import ModuleType

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from opportune import pipeline, stats
from opportune.decisions import DECISIONS, Budget, Dimension, Option, UseCase
from opportune.events import Metric
from opportune.learning import REWARDS
from opportune.reports import Spending, performance
from opportune.storage import Stores

PEOPLE = 600
DAYS = (date(2026, 1, 1), date(2026, 1, 2))
METRIC = Metric(
    name="revenue", title="", event="Ordered", property="revenue", unit="EUR", window_days=1
)
OFFERS = Dimension(
    name="offer",
    meaning="choice",
    options=(
        Option(name="gift", eligible=None, cost=1.5),
        Option(name="coupon", eligible=None, cost=4.0, cost_due="rewarded"),
    ),
)


@pytest.fixture
def earned() -> NDArray[np.float64]:
    """What each person spent on each day: nothing, or 20."""
    return np.where(np.random.default_rng(3).random((PEOPLE, 2)) < 0.4, 20.0, 0.0)


@pytest.fixture
def use_case(history: ModuleType) -> UseCase:
    found: UseCase = history.use_case()
    return replace(
        found, dimensions=(OFFERS,), budget=Budget(per_day=None, total=5_000.0, unit="EUR")
    )


def write(stores: Stores, use_case: UseCase, earned: NDArray[np.float64]) -> None:
    """Both days are decided, the rewards of the first are known; one in 3 is control."""
    pipeline.create_tables(stores)
    for day, rewards in zip(DAYS, earned.T.tolist(), strict=True):
        at = datetime.combine(day, time(6), tzinfo=UTC)
        common = [
            {
                "use_case": use_case.name, "day": day, "profile_id": n,
                "decision_id": f"{day}:{n:04}",
                "variant": "control" if n % 3 == 0 else "treatment",
            }
            for n in range(PEOPLE)
        ]  # fmt: skip
        rest = {
            "version": 1, "user_id": "u", "propensity": 0.5, "dimension_propensities": [0.5],
            "eligible": [3], "policy_version": "p", "explored": False, "decided_at": at,
            "decided_at_us": 0, "shadow_price": 0.0,
        }  # fmt: skip
        decided = [
            row
            | rest
            | {
                "action": ["gift" if n % 2 else "coupon"],
                "cost": 1.5 if n % 2 else 0.0,
                "cost_rewarded": 0.0 if n % 2 else 4.0,
            }
            for n, row in enumerate(common)
        ]
        stores.lake.append("decisions", pa.Table.from_pylist(decided, schema=DECISIONS))
        if day == DAYS[0]:
            known = [
                row | {"reward": each, "matured_at": at}
                for row, each in zip(common, rewards, strict=True)
            ]
            stores.lake.append("rewards", pa.Table.from_pylist(known, schema=REWARDS))


def spending(stores: Stores, use_case: UseCase) -> Spending | None:
    now = datetime(2026, 1, 3, tzinfo=UTC)
    return performance(stores, use_case, METRIC, now=now).spending


def test_costs_and_profit_are_those_of_the_rows(
    stores: Stores,
    use_case: UseCase,
    earned: NDArray[np.float64],
) -> None:
    write(stores, use_case, earned)
    found = spending(stores, use_case)
    assert found is not None
    ids = np.arange(PEOPLE)
    treated, gift, first = ids % 3 != 0, ids % 2 == 1, earned[:, 0]
    coupons = treated & ~gift
    # Gifts of both days, and coupons of those who ordered; coupons of the second day are open.
    spent = 2 * 1.5 * (treated & gift).sum() + 4.0 * (coupons & (first > 0)).sum()
    assert (found.spent, found.reserved) == (spent, 4.0 * coupons.sum())
    assert (found.unit, found.total, found.per_day, found.days) == ("EUR", 5_000.0, None, ())
    net = first - np.where(gift, 1.5, np.where(first > 0, 4.0, 0.0))
    expected = stats.lift(
        stats.moments(net[treated]),
        stats.moments(first[~treated]),
        method="any_look",
        tightest_at=4 * PEOPLE,
    )
    assert found.profit is not None
    assert found.profit.treatment_mean == pytest.approx(expected.treatment_mean)
    assert found.profit.control_mean == pytest.approx(expected.control_mean)
    assert found.profit.low == pytest.approx(expected.low)
    assert found.profit.high == pytest.approx(expected.high)


def test_costs_in_another_unit_are_taken_off_nothing(
    stores: Stores,
    use_case: UseCase,
    earned: NDArray[np.float64],
) -> None:
    write(stores, use_case, earned)
    points = replace(use_case, budget=Budget(per_day=7.0, total=None, unit="points"))
    found = spending(stores, points)
    assert found is not None
    assert (found.unit, found.per_day, found.profit) == ("points", 7.0, None)


def test_where_nothing_costs_anything_nothing_is_said(stores: Stores, history: ModuleType) -> None:
    assert spending(stores, history.use_case()) is None
