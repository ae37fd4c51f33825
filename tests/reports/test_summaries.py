"""Sums that were written day by day say what all rows together say, whatever happened meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mortal import Fate, Killed, mortal
from opportune.decisions import DECISIONS, FEATURES, UseCase
from opportune.learning import REWARDS
from opportune.reports import PROFILE_TOTALS, forget_open, summarise
from opportune.reports.summarise import days_of
from opportune.reports.summary import DaySummary, edges_of, kept
from opportune.storage import Stores

SLOW = Path(__file__).parent / "slow_sql"
FIRST = date(2026, 1, 1)
DAYS, WINDOW = 8, 3
VARIANTS = ("treatment", "control", "random")
OPTIONS = {"offer": ("speed_upgrade", "tv_bundle"), "channel": ("email", "sms"), "hour": ("09",)}
NUMBERS = (0.0, 1.0, -3.0, 27.0, 0.3, 128.0, float("nan"))


@dataclass
class Shop:
    """Random decisions of two versions of a use case, appended day by day."""

    stores: Stores
    random: np.random.Generator
    name: str
    count: int = 0
    open_rows: dict[date, list[dict[str, Any]]] = field(default_factory=dict)

    def decide(self, day: date, *, versions: tuple[int, ...], times: int) -> None:
        rows = [self._row(day, int(self.random.choice(versions))) for _ in range(times)]
        self.open_rows.setdefault(day, []).extend(rows)
        self.stores.lake.append("decisions", pa.Table.from_pylist(rows, schema=DECISIONS))

    def know(self, day: date, version: int) -> None:
        rows = [
            {
                "use_case": self.name,
                "version": version,
                "day": day,
                "profile_id": number,
                "user_id": str(number),
                "values": [float(self.random.choice(NUMBERS)), float(number % 2), 0.0, 1.0],
                "eligible": [1],
            }
            for number in range(12)
        ]
        self.stores.lake.append("features", pa.Table.from_pylist(rows, schema=FEATURES))

    def reward(self, day: date) -> None:
        rows = [
            {
                **{name: row[name] for name in REWARDS.names if name in row},
                "reward": float(self.random.choice([0.0, 0.0, 1.0, 19.99])),
                "matured_at": datetime.combine(day, datetime.min.time(), UTC),
            }
            for row in self.open_rows.pop(day)
        ]
        self.stores.lake.append("rewards", pa.Table.from_pylist(rows, schema=REWARDS))

    def _row(self, day: date, version: int) -> dict[str, Any]:
        self.count += 1
        profile = int(self.random.integers(12))
        at = datetime.combine(day, datetime.min.time(), UTC) + timedelta(seconds=self.count)
        sends = self.random.random() < 0.8
        return {
            "decision_id": f"{self.name}:{self.count}",
            "use_case": self.name,
            "version": version,
            "day": day,
            "profile_id": profile,
            "user_id": str(profile),
            "variant": VARIANTS[profile % 3],
            "action": [str(self.random.choice(options)) for options in OPTIONS.values()],
            "propensity": 0.5,
            "dimension_propensities": [0.5],
            "eligible": [1],
            "policy_version": "p",
            "explored": bool(self.random.random() < 0.3),
            "decided_at": at,
            "decided_at_us": int(at.timestamp() * 1e6),
            "due_at": at if sends else None,
            "cost": 0.25 if sends else None,
            "cost_rewarded": 1.0,
        }


@pytest.fixture
def shop(stores: Stores, history: ModuleType) -> Shop:
    tables = {
        "decisions": DECISIONS,
        "features": FEATURES,
        "rewards": REWARDS,
        "profile_totals": PROFILE_TOTALS,
    }
    for table, schema in tables.items():
        stores.lake.create(table, schema)
    return Shop(stores, np.random.default_rng(1), history.USE_CASE)


def lived(shop: Shop, seed: int) -> Iterator[date]:
    """A use case that is changed half-way; some decisions come late, rewards in order."""
    shop.random = np.random.default_rng(seed)
    for place in range(DAYS):
        day = FIRST + timedelta(days=place)
        versions = (1,) if place < 3 else (1, 2)
        shop.decide(day, versions=versions, times=30)
        shop.know(day, versions[-1])
        if place and shop.random.random() < 0.5:
            shop.decide(day - timedelta(days=1), versions=versions, times=3)
        if place >= WINDOW:
            shop.reward(day - timedelta(days=WINDOW))
        yield day


def slow(stores: Stores, use_case: UseCase, name: str) -> list[dict[str, Any]]:
    """Ask all rows, as reports did before there were sums."""
    text = (SLOW / f"{name}.sql").read_text()
    facts: dict[str, object] = {"use_case": use_case.name, "version": use_case.version}
    given = {"most_days": 90, "from_day": FIRST.isoformat()}
    facts |= {key: value for key, value in given.items() if f"${key}" in text}
    names = [dimension.name for dimension in use_case.dimensions]
    dimensions = pa.table({"dimension": names, "position": list(range(1, len(names) + 1))})
    relations = {"dimensions": dimensions} if name == "choices" else {}
    tables: dict[str, Any] = dict.fromkeys(("decisions", "rewards"))
    found = stores.engine.query(text, facts, tables=tables, relations=relations)
    return found.to_pylist()


def check(stores: Stores, use_case: UseCase, days: list[DaySummary]) -> None:
    """Every sum of ``days`` is that of the rows."""
    mature = [each for each in days if each.mature]
    totals = slow(stores, use_case, "totals")
    expected = (len(days), len(mature)) if days else (0, 0)
    assert [(row["decided_days"], row["mature_days"]) for row in totals] == [expected]
    newest = dict(mature[-1].totals or {}) if mature else {}
    found = {row.pop("variant"): row for row in slow(stores, use_case, "variants")}
    net = {row.pop("variant"): row for row in slow(stores, use_case, "profit")}
    assert newest.keys() == found.keys()
    for variant, row in found.items():
        for name, value in row.items():
            assert getattr(newest[variant], name) == pytest.approx(value, rel=1e-9, abs=1e-9)
        ours = newest[variant]
        assert ours.net_mean == pytest.approx(net[variant]["mean"], rel=1e-9, abs=1e-9)
        assert ours.net_m2 == pytest.approx(net[variant]["m2"], rel=1e-9, abs=1e-9)
    _check_days(stores, use_case, days)


def _check_days(stores: Stores, use_case: UseCase, days: list[DaySummary]) -> None:
    by_day = {each.day: each for each in days}
    rows = slow(stores, use_case, "days")
    assert sum(each.decisions for each in days) == sum(row["decisions"] for row in rows)
    for row in rows:
        ours = by_day[row["day"]]
        variant = ours.variants[row["variant"]]
        assert variant.decisions == row["decisions"]
        assert variant.explored / variant.decisions == pytest.approx(row["exploration_share"])
        earned = (ours.earned or {}).get(row["variant"])
        assert (earned.decisions if earned else 0) == row["matured"]
        if earned:
            assert earned.reward_sum / earned.decisions == pytest.approx(row["reward_mean"])
    chosen = {
        (day.day, dimension, choice): count
        for day in days
        for dimension, counts in day.choices.items()
        for choice, count in counts.items()
    }
    assert chosen == {
        (row["day"], row["dimension"], row["choice"]): row["decisions"]
        for row in slow(stores, use_case, "choices")
    }


@pytest.mark.parametrize("seed", [0, 3])
def test_sums_are_those_of_all_rows_whenever_they_were_written(
    shop: Shop, history: ModuleType, seed: int
) -> None:
    for day in lived(shop, seed):
        for version in (1, 2):
            use_case = history.use_case(version=version)
            if shop.random.random() < 0.7:
                summarise(shop.stores, use_case)
                assert summarise(shop.stores, use_case) == []
            if day.day % 3 == 2:
                check(shop.stores, use_case, days_of(shop.stores, use_case))
    again = [days_of(shop.stores, history.use_case(version=version)) for version in (1, 2)]
    shop.stores.state.rows("delete from day_summary")
    for version, days in zip((1, 2), again, strict=True):
        use_case = history.use_case(version=version)
        fresh = days_of(shop.stores, use_case)
        assert _edges(edges_of(shop.stores, use_case, fresh)) == _edges(_all(fresh))
        assert [each.variants for each in fresh] == [each.variants for each in days]


def _all(days: list[DaySummary]) -> pa.Table:
    return pa.concat_tables([each.edges for each in days if each.edges is not None])


def _edges(found: pa.Table) -> list[str]:
    return sorted(map(repr, found.to_pylist()))


def test_a_feature_counts_at_the_next_edge_of_two_digits(shop: Shop, history: ModuleType) -> None:
    list(lived(shop, 5))
    both = [history.use_case(version=version) for version in (1, 2)]
    edges = [row for each in both for row in _all(days_of(shop.stores, each)).to_pylist()]
    tenure = {row["edge"] for row in edges if row["feature"] == "tenure_months"}
    # 0.3 and whole numbers up to a hundred are edges; 128 counts up to 130; NaN nowhere.
    assert tenure == {0.0, 1.0, -3.0, 27.0, 0.3, 130.0}


def test_killed_anywhere_it_comes_to_the_same(shop: Shop, history: ModuleType) -> None:
    use_case = history.use_case()
    for day in lived(shop, 6):
        if day.day == 5:
            break
    summarise(shop.stores, use_case)
    for place in (-1, 0):
        shop.reward(FIRST + timedelta(days=WINDOW + place))
    at = died = 0
    while at >= 0:
        dying = mortal(shop.stores, Fate(at=at))
        try:
            summarise(dying, use_case)
            at = -1
        except Killed:
            died, at = died + 1, at + 1
            check(shop.stores, use_case, days_of(shop.stores, use_case))
        dying.state.close()
    assert died > 3
    assert summarise(shop.stores, use_case) == []
    check(shop.stores, use_case, list(kept(shop.stores.state, use_case).values()))
    stored = shop.stores.lake.read("profile_totals", ["generation"])["generation"]
    assert len(set(stored.to_pylist())) == 1


def test_an_erased_open_decision_is_counted_no_more(shop: Shop, history: ModuleType) -> None:
    use_case = history.use_case()
    list(lived(shop, 7))
    summarise(shop.stores, use_case)
    mature = {day for day, each in kept(shop.stores.state, use_case).items() if each.mature}
    forget_open(shop.stores.state)
    assert set(kept(shop.stores.state, use_case)) == mature
    check(shop.stores, use_case, days_of(shop.stores, use_case))
    assert len(summarise(shop.stores, use_case)) == DAYS - len(mature)
