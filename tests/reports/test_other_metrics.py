"""Metrics beside the success metric: what each group brought of them, and the lift."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import ModuleType

import numpy as np
import pyarrow as pa
import pytest

from opportune import events, profiles, stats
from opportune.decisions import UseCase
from opportune.events import Metric, parse_metrics
from opportune.reports import keep_report_metrics, report_metrics
from opportune.reports.summarise import summarise
from opportune.storage import Stores

FIRST = datetime(2026, 1, 1, 6, tzinfo=UTC)
PROFILES = 300
BODIES = {
    "orders": {"event": "Bought", "unit": "orders", "window_days": 3},
    "revenue": {"event": "Bought", "value": "revenue", "unit": "EUR", "window_days": 3},
    "aov": {"title": "Order value", "formula": "sum(revenue) / sum(orders)"},
    "returns": {"event": "Returned", "unit": "orders", "window_days": 3},
}
METRICS: dict[str, Metric] = {
    name: each for name, each in parse_metrics(BODIES, []).items() if each
}


@pytest.fixture
def shop(stores: Stores, history: ModuleType, monkeypatch: pytest.MonkeyPatch) -> UseCase:
    """Profile k buys k % 3 times for 10 + k % 7 each; too early and too late does not count."""
    rows = [
        (profile, timedelta(days=place + 1), 10 + profile % 7)
        for profile in range(PROFILES)
        for place in range(profile % 3)
    ]
    # The last mature decision is that of 7 January 06:00, its window ends on the 10th.
    rows += [(1, timedelta(days=9, seconds=-1), 100), (2, timedelta(days=9), 100)]
    rows += [(3, timedelta(seconds=-1), 100)]
    events.create_tables(stores.lake)
    schema = stores.lake.schema("events")
    told = [
        {
            "message_id": f"m{place}",
            "type": "track",
            "event": "Bought",
            "source_id": "web",
            "user_id": str(profile),
            "occurred_at": FIRST + after,
            "occurred_at_us": int((FIRST + after).timestamp() * 1e6),
            "received_at": FIRST,
            "received_at_us": int(FIRST.timestamp() * 1e6),
            "properties": f'{{"revenue": {revenue}}}',
            "context": "{}",
        }
        for place, (profile, after, revenue) in enumerate(rows)
    ]
    columns = {field.name: [row.get(field.name) for row in told] for field in schema}
    stores.lake.append("events", pa.table(columns, schema=schema))
    known = {
        "kind": ["user_id"] * PROFILES,
        "value": [str(each) for each in range(PROFILES)],
        "profile_id": list(range(PROFILES)),
        "since_us": [-(2**63)] * PROFILES,
    }
    monkeypatch.setattr(profiles, "identifiers", lambda _: pa.table(known))
    history.write(stores, history.past(profiles=PROFILES))
    return replace(history.use_case(), report_metrics=("revenue", "aov", "returns"))


def test_each_group_has_its_values_and_the_lift_is_that_of_the_rows(
    stores: Stores, shop: UseCase
) -> None:
    people = np.arange(PROFILES)
    orders, revenue = (people % 3).astype(float), (people % 3) * (10.0 + people % 7)
    orders[1] += 1
    revenue[1] += 100
    control = people % 5 == 0
    found = {each.metric.name: each for each in report_metrics(stores, shop, METRICS)}
    assert list(found) == ["revenue", "aov", "returns"]
    tightest = 4 * PROFILES
    for place, chosen in enumerate((~control, control)):
        own = found["revenue"].groups[place]
        expected = stats.mean_interval(stats.moments(revenue[chosen]), tightest_at=tightest)
        assert (own.profiles, own.known) == (chosen.sum(), (revenue[chosen] > 0).sum())
        assert own.value == pytest.approx(expected.value)
        assert own.low == pytest.approx(expected.low)
        assert found["aov"].groups[place].value == pytest.approx(
            revenue[chosen].sum() / orders[chosen].sum()
        )
    parts = [
        stats.of_ratio(stats.joint_moments(revenue[each], orders[each]))
        for each in (~control, control)
    ]
    lift = stats.lift(*parts, method="any_look", tightest_at=tightest)
    assert found["aov"].lift.low == pytest.approx(lift.low, rel=1e-6)
    assert (found["aov"].metric.unit, found["aov"].title) == ("EUR per orders", "Order value")
    # Nobody returned anything: there is nothing to say, and nothing is found by chance.
    assert (found["returns"].lift.relative, found["returns"].p_value) == (None, 1.0)
    assert [each.value for each in found["returns"].groups] == [0.0, 0.0]


def test_what_was_kept_is_read_and_made_anew_where_it_holds_no_more(
    stores: Stores, shop: UseCase
) -> None:
    expected = report_metrics(stores, shop, METRICS)
    summarise(stores, shop, METRICS["orders"])
    keep_report_metrics(stores, shop, METRICS)
    keep_report_metrics(stores, shop, METRICS)
    assert report_metrics(stores, shop, METRICS) == expected
    stores.state.rows("update report_metric set groups = '{}' where metric = 'revenue'")
    assert report_metrics(stores, shop, METRICS)[0].groups[0].profiles == 0
    dear = {**METRICS, "revenue": replace(METRICS["revenue"], currency="EUR")}
    again = report_metrics(stores, shop, dear)
    assert again[0].groups == expected[0].groups
    stores.state.rows("update report_metric set through = '2026-01-02'")
    assert report_metrics(stores, shop, METRICS) == expected
    fewer = replace(shop, report_metrics=("aov",))
    stores.state.rows("delete from report_metric")
    assert [each.metric.name for each in report_metrics(stores, fewer, METRICS)] == ["aov"]


def test_without_a_mature_day_or_a_metric_there_is_nothing(
    stores: Stores, history: ModuleType
) -> None:
    none = replace(history.use_case(), report_metrics=("revenue",))
    assert report_metrics(stores, none, METRICS) == ()
    keep_report_metrics(stores, none, METRICS)
    keep_report_metrics(stores, history.use_case(), METRICS)
    assert stores.state.rows("select * from report_metric") == []
    assert report_metrics(stores, history.use_case(), METRICS) == ()
