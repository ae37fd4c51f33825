"""A lift beside what profiles brought before: exact sums, and as much narrower as theory says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from opportune import events, profiles, rules, stats
from opportune.events import Metric
from opportune.reports import performance, summarise
from opportune.reports.adjusted import adjusted
from opportune.reports.answer import Evidence
from opportune.reports.model import MetricOfReport, VariantResult
from opportune.reports.summarise import totals_now
from opportune.reports.summary import Totals
from opportune.storage import Stores

FIRST = datetime(2026, 1, 1, 6, tzinfo=UTC)
METRIC = Metric(
    name="orders", title="Orders", event="Bought", property=None, unit="orders", window_days=3
)
PROFILES = 300


def happened(stores: Stores, rows: list[tuple[int, timedelta, str]]) -> None:
    """Put events into the lake: whose, how long before the first decision, and their name."""
    events.create_tables(stores.lake)
    schema = stores.lake.schema("events")
    told = [
        {
            "message_id": f"m{place}",
            "type": "track",
            "event": name,
            "source_id": "web",
            "user_id": str(profile),
            "occurred_at": FIRST - before,
            "occurred_at_us": int((FIRST - before).timestamp() * 1e6),
            "received_at": FIRST,
            "received_at_us": int(FIRST.timestamp() * 1e6),
            "properties": '{"revenue": 5}',
            "context": "{}",
        }
        for place, (profile, before, name) in enumerate(rows)
    ]
    columns = {field.name: [row.get(field.name) for row in told] for field in schema}
    stores.lake.append("events", pa.table(columns, schema=schema))


@pytest.fixture
def times(stores: Stores, history: ModuleType, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """How often each bought before; what is later, too old, something else is none of it."""
    count = np.random.default_rng(3).poisson(1.0, PROFILES)
    rows = [
        (profile, timedelta(days=1 + 26 * place / 10), "Bought")
        for profile, own in enumerate(count)
        for place in range(own)
    ]
    rows += [(1, timedelta(seconds=-1), "Bought"), (2, timedelta(days=28, seconds=1), "Bought")]
    rows += [(3, timedelta(days=2), "Looked"), (4, timedelta(days=28), "Bought")]
    happened(stores, rows)
    known = {
        "kind": ["user_id"] * PROFILES,
        "value": [str(each) for each in range(PROFILES)],
        "profile_id": list(range(PROFILES)),
        "since_us": [-(2**63)] * PROFILES,
    }
    monkeypatch.setattr(profiles, "identifiers", lambda _: pa.table(known))
    history.write(stores, history.past(profiles=PROFILES, treated_rate=0.4, control_rate=0.3))
    count[4] += 1
    return count


def test_what_was_brought_before_the_first_decision_adjusts_the_lift(
    stores: Stores, history: ModuleType, times: np.ndarray
) -> None:
    case, told = (
        history.use_case(),
        history.past(profiles=PROFILES, treated_rate=0.4, control_rate=0.3),
    )
    assert performance(stores, case, METRIC, now=history.NOW).adjusted is not None
    summarise(stores, case, METRIC)
    rows = totals_now(stores, case)
    assert rows["profile_id"].to_pylist() == list(range(PROFILES))
    assert rows["earlier"].to_pylist() == times.tolist()
    report = performance(stores, case, METRIC, now=history.NOW)
    totals = told.rewards.sum(axis=1)
    treated, held_out = (
        stats.joint_moments(totals[chosen], times[chosen])
        for chosen in (~told.control, told.control)
    )
    expected = stats.adjusted_lift(treated, held_out, tightest_at=4 * PROFILES)
    found = report.adjusted
    assert found is not None
    assert found.lift is not None
    for name in ("relative", "low", "high"):
        assert getattr(found.lift, name) == pytest.approx(getattr(expected.lift, name), rel=1e-9)
    assert found.explained_share == pytest.approx(expected.explained_share, rel=1e-6)


def moved(row: dict[str, Any]) -> dict[str, Any]:
    """The same of a later day and version."""
    later = {"day": row["day"] + timedelta(days=30), "decision_id": row["decision_id"] + "b"}
    own = {"version": 2, "decided_at_us": row.get("decided_at_us", 0) + 30 * 86_400_000_000}
    return {**row, **later, **{name: value for name, value in own.items() if name in row}}


def test_another_version_asks_what_was_before_the_first_decision_of_all(
    stores: Stores, history: ModuleType, times: np.ndarray
) -> None:
    for table in ("decisions", "rewards"):
        stored = stores.lake.read(table).to_pylist()
        rows = [moved(row) for row in stored if row["day"] == history.FIRST_DAY]
        schema = stores.lake.schema(table)
        stores.lake.append(table, pa.Table.from_pylist(rows, schema=schema))
    formula = rules.parse_formula("orders * 2 + last_amount")
    last = replace(METRIC, name="last_amount", property="revenue", aggregate="last")
    doubled = replace(METRIC, name="doubled", event="", formula=formula, parts=(METRIC, last))
    summarise(stores, history.use_case(version=2), doubled)
    rows = totals_now(stores, history.use_case(version=2))
    worth = np.where(times > 0, 2 * times + 5, 0)
    assert rows["earlier"].to_pylist() == worth.tolist()


def test_without_the_metric_nothing_is_said_of_before(
    stores: Stores, history: ModuleType, times: np.ndarray
) -> None:
    summarise(stores, history.use_case())
    assert totals_now(stores, history.use_case())["earlier"].null_count == len(times)
    report = performance(stores, history.use_case(), METRIC, now=history.NOW)
    assert report.adjusted is None


def sums(earned: np.ndarray, earlier: np.ndarray) -> Totals:
    joint = stats.joint_moments(earned, earlier)
    return Totals(
        profiles=len(earned),
        rewarded=int((earned > 0).sum()),
        reward_sum=float(earned.sum()),
        reward_mean=joint.outcome.mean,
        m2=joint.outcome.m2,
        net_mean=0.0,
        net_m2=0.0,
        earlier_profiles=len(earned),
        earlier_mean=joint.covariate.mean,
        earlier_m2=joint.covariate.m2,
        comoment=joint.comoment,
    )


def evidence(totals: dict[str, Totals]) -> Evidence:
    treated, held_out = (
        stats.Moments(count=each.profiles, mean=each.reward_mean, m2=each.m2)
        for each in totals.values()
    )
    nobody = VariantResult(variant="", profiles=0, rewarded=0, reward_sum=0.0, reward_mean=0.0)
    return Evidence(
        metric=MetricOfReport(name="orders", unit="orders", window_days=3),
        treatment=nobody,
        control=nobody,
        control_share=0.5,
        lift=stats.lift(treated, held_out),
        tightest_at=stats.TIGHTEST_AT,
        outlook=None,
        sample_ratio=stats.SampleRatio(p_value=0.5, suspicious=False),
        decided_days=9,
        mature_days=9,
        oldest_immature_day=date(2026, 1, 10),
    )


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_an_interval_narrows_by_the_root_of_what_is_explained(rho: float) -> None:
    """A fifth more is true, the past has a correlation of ``rho``: as wide as sqrt(1 - rho^2)."""
    random = np.random.default_rng(int(rho * 10))
    totals = {}
    for group, mean in (("treatment", 12.0), ("control", 10.0)):
        earlier = random.normal(size=200_000)
        noise = np.sqrt(1 - rho * rho) * random.normal(size=200_000)
        totals[group] = sums(mean + rho * earlier + noise, 20 + 3 * earlier)
    found = adjusted(evidence(totals), totals)
    assert found is not None
    assert found.lift is not None
    assert found.explained_share == pytest.approx(rho * rho, abs=0.01)
    assert 1 - found.narrower == pytest.approx(np.sqrt(1 - rho * rho), abs=0.01)
    assert found.lift.low is not None
    assert found.lift.high is not None
    assert found.lift.low < 0.2 < found.lift.high
    said = {0.0: "as wide as without", 0.5: "13.", 0.8: "39."}[rho]
    assert f"The interval is {said}" in found.answer


def test_a_past_that_is_alike_for_all_adjusts_nothing_and_says_so() -> None:
    earned = np.array([0.0, 1.0] * 50)
    totals = {name: sums(earned, np.zeros(100)) for name in ("treatment", "control")}
    found = adjusted(evidence(totals), totals)
    assert found is not None
    assert found.lift is None
    assert found.answer == (
        "Nothing to adjust for: in the 28 days before its first decision every profile brought the "
        "same, 0 orders."
    )
    off = replace(evidence(totals), sample_ratio=stats.SampleRatio(p_value=0.0, suspicious=True))
    assert adjusted(off, totals) is None
