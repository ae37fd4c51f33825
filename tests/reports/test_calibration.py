"""What a policy expected beside what came: tenths of a day, and what they add up to."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pytest

from opportune.decisions import DECISIONS
from opportune.events import Metric
from opportune.learning import REWARDS
from opportune.reports import summarise, use_case_health
from opportune.reports.calibration import calibration
from opportune.reports.summary import DaySummary, Tenth, kept
from opportune.storage import Stores
from opportune.web import health_charts

METRIC = Metric(
    name="orders", title="Orders", event="Bought", property=None, unit="orders", window_days=3
)
REVENUE = Metric(
    name="revenue", title="R", event="Bought", property="revenue", unit="EUR", window_days=3
)
FIRST = date(2026, 1, 1)


def rewritten(stores: Stores, table: str, rows: list[dict[str, object]], folder: Path) -> None:
    """The same table with other rows."""
    (stores.lake.folder / table).rename(folder / table)
    stores.lake._tables.pop(table)
    schema = {"decisions": DECISIONS, "rewards": REWARDS}[table]
    stores.lake.create(table, schema)
    stores.lake.append(table, pa.Table.from_pylist(rows, schema=schema))


def test_a_day_is_summed_up_by_tenths_of_what_was_expected(
    stores: Stores, history: ModuleType, tmp_path: Path
) -> None:
    told = history.past(profiles=57)
    history.write(stores, told)
    random = np.random.default_rng(2)
    rows = stores.lake.read("decisions").to_pylist()
    for row in rows:
        # The last profiles were decided by another player, which expects nothing.
        row["expected"] = None if row["profile_id"] >= 52 else float(random.random())
    rewritten(stores, "decisions", rows, tmp_path)
    summarise(stores, history.use_case())
    known = kept(stores.state, history.use_case())[FIRST].calibration
    mine = [
        (row["expected"], float(told.rewards[row["profile_id"], 0]))
        for row in rows
        if row["day"] == FIRST and row["variant"] == "treatment" and row["expected"] is not None
    ]
    mine.sort()
    places = np.arange(len(mine)) * 10 // len(mine)
    assert known is not None
    assert len(known) == 10
    for each in known:
        own = [pair for pair, place in zip(mine, places, strict=True) if place == each.tenth - 1]
        assert each.decisions == len(own)
        assert each.expected == pytest.approx(sum(e for e, _ in own), rel=1e-12)
        came = sum(reward for _, reward in own)
        assert (each.rewarded, each.reward, each.square) == (came, came, came)
    # Nobody knows of a policy that had learned: nothing is said.
    found = use_case_health(stores, history.use_case(), METRIC, now=history.NOW)
    assert found.calibration.tenths == ()
    assert found.runs == ()
    stores.state.rows(
        "insert into model (use_case, version, day, trained_through, body, lessons, learner)"
        " select 'next_offer', 1, day, day::date - 1, '', '{}', '{}'"
        " from generate_series(date '2026-01-02', '2026-01-10', interval '1 day') as day"
    )
    stores.state.rows(
        "insert into day_step select 'next_offer', '2026-01-10', 'decide', 1, 2.5, now()"
    )
    found = use_case_health(stores, history.use_case(), METRIC, now=history.NOW)
    assert (found.calibration.since, found.calibration.until) == (
        date(2026, 1, 2),
        date(2026, 1, 7),
    )
    assert found.calibration.decisions == 6 * len(mine)
    assert [(each.day.day, dict(each.seconds)) for each in found.runs] == [(10, {"decide": 2.5})]


def summary(place: int, tenths: tuple[Tenth, ...] | None) -> DaySummary:
    return DaySummary(
        day=FIRST + timedelta(days=place),
        decisions=1,
        variants={},
        choices={},
        calibration=tenths,
    )


def tenth(place: int, *, decisions: int, expected: float, rewarded: int, reward: float) -> Tenth:
    return Tenth(
        tenth=place,
        decisions=decisions,
        expected=expected,
        rewarded=rewarded,
        reward=reward,
        square=reward * 10,
    )


def test_tenths_of_days_add_up_and_the_sentence_says_which_way_it_is_off() -> None:
    low = tenth(1, decisions=100, expected=10.0, rewarded=10, reward=100.0)
    high = tenth(2, decisions=100, expected=90.0, rewarded=40, reward=400.0)
    days = [summary(0, (low, high)), summary(1, None), summary(2, (low, high))]
    days.append(summary(3, (high,)))
    taught = {FIRST + timedelta(days=place) for place in range(3)}
    found = calibration(days, METRIC, taught=taught)
    assert (found.since, found.until) == (FIRST, FIRST + timedelta(days=2))
    first, second = found.tenths
    assert (first.decisions, first.expected, first.came) == (200, 0.1, 0.1)
    assert first.high - first.came == pytest.approx(1.96 * np.sqrt(0.1 * 0.9 / 200), rel=1e-12)
    assert (second.expected, second.came) == (0.9, 0.4)
    assert second.expected > second.high
    assert (found.decisions, found.expected, found.came) == (400, 0.5, 0.25)
    assert "came less than expected: 0.25 (between 0.2076 and 0.2924)" in found.answer
    amounts = calibration(days, REVENUE, taught=taught)
    assert (amounts.unit, amounts.tenths[1].came) == ("EUR", 4.0)
    assert "came more than expected" in amounts.answer
    drawn = str(health_charts.calibration(found))
    assert drawn.count("<circle") == 2
    assert str(health_charts.calibration(calibration([], METRIC, taught=()))) == ""


def test_as_much_as_expected_is_said_so() -> None:
    even = tenth(1, decisions=100, expected=10.0, rewarded=11, reward=11.0)
    found = calibration([summary(0, (even,))], METRIC, taught={FIRST})
    assert found.answer.startswith("Over 1 mature day came as much as expected: 0.11 (between")
