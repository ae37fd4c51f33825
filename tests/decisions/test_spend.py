"""Over days, kills and repeats a use case spends neither a day's amount nor the total twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from frugal import Frugal
from mortal import Fate, Killed, mortal
from opportune import policies, profiles
from opportune.decisions import (
    DECISIONS,
    Budget,
    Dimension,
    Option,
    UseCase,
    budget_days,
    decide,
    snapshot,
    spent,
    variants,
)
from opportune.learning import REWARDS
from opportune.storage import Stores

FIRST = date(2026, 3, 1)
People = Callable[..., None]
Make = Callable[..., UseCase]
OFFERS = (
    Option(name="none", eligible=None),
    Option(name="coupon", eligible=None, cost=3.3, cost_due="rewarded"),
    Option(name="gift", eligible=None, cost=1.1),
)
DIMENSIONS = (Dimension(name="offer", meaning="choice", options=OFFERS),)
# Everybody is worth more than a coupon costs, by what is known of them.
WORTH = (np.array([[0.0, 0.0, 0.0], [6.0, 2.0, 0.0], [3.0, 1.0, 0.0]]),)


def case(use_case: Make, budget: Budget | None, **changes: object) -> UseCase:
    return use_case(dimensions=DIMENSIONS, budget=budget, control_share=0.2, **changes)


def run(stores: Stores, wanted: UseCase, day: date) -> bool:
    now = datetime.combine(day, time(6), tzinfo=UTC)
    stores.lake.create("rewards", REWARDS)
    snapshot(stores, wanted, day, profiles.snapshot(stores.state))
    policy = Worth(wanted.space, WORTH)
    return decide(stores, wanted, day, policy=policy, policy_version="p", now=now)


class Worth(Frugal):
    """What is not known of a profile counts as 0."""

    def distribution(  # type: ignore[no-untyped-def]  # the same arguments
        self, features, eligible, *, seed, costs=None
    ) -> policies.ActionDistribution:
        known = np.nan_to_num(features)
        known[:, 0] = 1.0
        return super().distribution(known, eligible, seed=seed, costs=costs)


def reward(stores: Stores, day: date, share: float) -> None:
    """Write the rewards of a day: that share of its decisions earned 10."""
    rows = stores.lake.read("decisions")
    rows = rows.filter(pc.equal(rows["day"], pa.scalar(day)))
    lucky = policies.uniforms(f"reward:{day}", rows["profile_id"].to_numpy()) < share
    table = rows.select(["use_case", "day", "decision_id", "profile_id", "variant"])
    table = table.append_column("reward", pa.array(np.where(lucky, 10.0, 0.0)))
    at = pa.repeat(pa.scalar(datetime(2026, 4, 1, tzinfo=UTC)), len(rows))
    table = table.append_column("matured_at", at)
    for field in list(REWARDS)[len(table.columns) :]:
        table = table.append_column(field, pa.nulls(len(rows), field.type))
    stores.lake.append("rewards", table, key=f"rewards:{day}")


def ledger(stores: Stores) -> tuple[dict[date, int], int, int]:
    """Committed by day, spent and reserved, all in cents, from the rows themselves."""
    earned = {row["decision_id"]: row["reward"] for row in stores.lake.read("rewards").to_pylist()}
    by_day: dict[date, int] = {}
    gone = held = 0
    for row in stores.lake.read("decisions").to_pylist():
        if row["variant"] == "control":
            continue
        sent, later = round(row["cost"] * 100), round(row["cost_rewarded"] * 100)
        by_day[row["day"]] = by_day.get(row["day"], 0) + sent + later
        gone += sent
        reward = earned.get(row["decision_id"])
        gone += later if reward else 0
        held += later if reward is None else 0
    return by_day, gone, held


@pytest.mark.parametrize("seed", range(6))
def test_neither_days_nor_total_are_exceeded_whoever_dies(
    stores: Stores, people: People, use_case: Make, seed: int
) -> None:
    random = np.random.default_rng(seed)
    people(range(int(random.integers(30, 120))))
    per_day, total = random.choice([None, 40.0, 77.7]), random.choice([90.0, 151.3, 1_000.0])
    wanted = case(use_case, Budget(per_day=per_day, total=total, unit=None), random_share=0.2)
    share = float(random.random())
    for place in range(6):
        day = FIRST + timedelta(days=place)
        # The audience grows, and a new version goes on with the same money.
        people(range(1_000 * (place + 1), 1_000 * (place + 1) + int(random.integers(0, 60))))
        wanted = replace(wanted, version=1 + place // 3)
        dying = mortal(stores, Fate(at=int(random.integers(0, 12))))
        with suppress(Killed):
            run(dying, wanted, day)
        dying.state.close()
        run(stores, wanted, day)
        assert not run(stores, wanted, day)
        if place >= 2:
            reward(stores, FIRST + timedelta(days=place - 2), share)
        by_day, gone, held = ledger(stores)
        assert all(each <= round((per_day or 1e9) * 100) for each in by_day.values())
        assert gone + held <= round(total * 100)
        known = spent(stores, wanted)
        assert (known.spent, known.reserved) == (gone / 100, held / 100)
        noted = budget_days(stores, wanted, most=1)[0]
        assert (noted.day, round(noted.committed * 100)) == (day, by_day.get(day, 0))


def test_what_was_reserved_is_free_again_when_no_reward_came(
    stores: Stores, people: People, use_case: Make
) -> None:
    people(range(60))
    options = (OFFERS[0], OFFERS[1])
    wanted = replace(
        case(use_case, Budget(per_day=None, total=66.0, unit=None)),
        dimensions=(Dimension(name="offer", meaning="choice", options=options),),
    )
    run(stores, wanted, FIRST)
    before = spent(stores, wanted)
    assert (before.spent, 30 <= before.reserved <= 66) == (0.0, True)
    run(stores, wanted, FIRST + timedelta(days=1))
    coupons = round(before.reserved / 3.3)
    assert budget_days(stores, wanted, most=1)[0].available == pytest.approx(66 - 3.3 * coupons)
    reward(stores, FIRST, 0.0)
    run(stores, wanted, FIRST + timedelta(days=2))
    assert budget_days(stores, wanted, most=1)[0].available > 50
    reward(stores, FIRST + timedelta(days=2), 1.0)
    after = spent(stores, wanted)
    assert after.spent > 30
    assert after.spent + after.reserved <= 66


def test_who_can_be_given_nothing_gets_no_decision_and_is_counted(
    stores: Stores, people: People, use_case: Make
) -> None:
    people(range(80))
    wanted = replace(
        case(use_case, Budget(per_day=33.0, total=None, unit=None)),
        dimensions=(Dimension(name="offer", meaning="choice", options=OFFERS[1:2]),),
    )
    run(stores, wanted, FIRST)
    rows = stores.lake.read("decisions")
    sent = pc.sum(pc.not_equal(rows["variant"], "control")).as_py()
    assert sent == 10
    day = budget_days(stores, wanted, most=5)[0]
    assert (day.decided, day.held_back) == (rows.num_rows, 80 - rows.num_rows)
    assert day.held_back > 0
    assert day.committed == 33.0


def test_costs_and_price_stand_with_each_decision(
    stores: Stores, people: People, use_case: Make
) -> None:
    people(range(200))
    wanted = case(use_case, Budget(per_day=50.0, total=None, unit=None))
    run(stores, wanted, FIRST)
    price = budget_days(stores, wanted, most=1)[0].shadow_price
    assert price > 0
    costs = {"none": (0.0, 0.0), "coupon": (0.0, 3.3), "gift": (1.1, 0.0)}
    for row in stores.lake.read("decisions").to_pylist():
        assert (row["cost"], row["cost_rewarded"]) == costs[row["action"][0]]
        assert row["shadow_price"] == price
    assert stores.lake.read("decisions").schema.names == DECISIONS.names


def test_costs_in_another_unit_than_the_reward_count_by_their_price_alone(
    stores: Stores, people: People, use_case: Make
) -> None:
    people(range(300))
    dear = (OFFERS[0], replace(OFFERS[1], cost=50.0), OFFERS[2])
    dimensions = (Dimension(name="offer", meaning="choice", options=dear),)
    for name, unit, most in (("profit", None, 5), ("share", "EUR", 300)):
        wanted = replace(
            case(use_case, Budget(per_day=1e6, total=None, unit=unit)),
            name=name,
            dimensions=dimensions,
        )
        run(stores, wanted, FIRST)
        rows = stores.lake.read("decisions")
        rows = rows.filter(pc.equal(rows["use_case"], name))
        coupons = sum(action == ["coupon"] for action in rows["action"].to_pylist())
        assert (coupons <= 12) if most == 5 else (coupons >= 200)


def test_groups_are_stable_and_nobody_is_in_two(use_case: Make) -> None:
    ids = np.arange(20_000, dtype=np.int64)
    before = variants(use_case(control_share=0.1), ids)
    after = variants(use_case(control_share=0.1, random_share=0.05), ids)
    assert np.array_equal(before == "control", after == "control")
    assert 0.04 < (after == "random").mean() < 0.06
    assert set(after.tolist()) == {"control", "random", "treatment"}
    assert set(before.tolist()) == {"control", "treatment"}
    wider = variants(use_case(control_share=0.2, random_share=0.05), ids)
    assert np.array_equal(wider == "random", after == "random")
