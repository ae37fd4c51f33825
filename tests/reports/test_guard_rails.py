"""Guard rails are reported as they were looked at, and judged together."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import pytest

from opportune import stats
from opportune.decisions import GuardRail
from opportune.reports.guard_rails import guard_rails
from opportune.storage import Stores

LOOK = (
    "insert into guard_rail_look (use_case, day, metric, direction, allowed, days, look,"
    " recipients, affected, mean, m2, looked_at) values ('next_offer', %(day)s, %(metric)s,"
    " %(direction)s, %(limit)s, 7, 3, 1000, %(affected)s, %(mean)s, %(m2)s, now())"
)


def rail(metric: str, limit: float = 0.02, direction: str = "at_most") -> GuardRail:
    return GuardRail(metric=metric, direction=direction, limit=limit, days=7)


def test_each_guard_rail_has_the_newest_look_with_its_interval(
    stores: Stores, history: ModuleType
) -> None:
    rails = (
        rail("left"),
        rail("maybe"),
        rail("fine"),
        rail("orders", 0.1, "at_least"),
        rail("rare"),
        rail("never_seen"),
        rail("other_limit"),
    )
    for metric, mean, day in (
        ("left", 0.5, 1),
        ("left", 0.06, 2),
        ("maybe", 0.025, 2),
        ("fine", 0.012, 2),
        ("orders", 0.3, 2),
        ("rare", 0.004, 2),
        ("other_limit", 0.5, 2),
    ):
        known = next(each for each in rails if each.metric == metric)
        facts = {
            "day": f"2026-01-0{day}",
            "metric": metric,
            "direction": known.direction,
            "limit": 0.5 if metric == "other_limit" else known.limit,
            "affected": round(1000 * mean),
            "mean": mean,
            "m2": 1000 * mean * (1 - mean),
        }
        stores.state.rows(LOOK, facts)
    case = replace(history.use_case(), guard_rails=rails)
    found = {each.metric: each for each in guard_rails(stores.state, case, {})}
    assert {name: each.verdict for name, each in found.items()} == {
        "left": "broken",
        "maybe": "doubtful",
        "fine": "kept",
        "orders": "kept",
        "rare": "too_early",
        "never_seen": "too_early",
        "other_limit": "too_early",
    }
    left = found["left"]
    evidence = stats.Moments(count=1000, mean=0.06, m2=1000 * 0.06 * 0.94)
    # The third look may spend 0.05 / 12.
    interval = stats.mean_interval(evidence, confidence=1 - 0.05 / 12, method="fixed")
    assert (left.value, left.low, left.high) == (0.06, interval.low, interval.high)
    assert left.day is not None
    assert (left.day.day, left.recipients, left.unit) == (2, 1000, "left")
    assert left.p_value == pytest.approx(12 * stats.chance_beyond(evidence, 0.02), rel=1e-9)
    # The smallest of seven.
    assert left.adjusted == pytest.approx(7 * left.p_value)
    assert (left.found, found["maybe"].found, found["fine"].p_value) == (True, False, 1.0)
    assert found["never_seen"].day is None
    assert guard_rails(stores.state, history.use_case(), {}) == ()
