"""How a use case runs: each of its audience is in one place of the funnel, and a shift is seen."""

from __future__ import annotations

from datetime import date, timedelta
from types import ModuleType
from typing import Any, cast

import pyarrow as pa
import pytest

from opportune import stats
from opportune.decisions import FEATURES
from opportune.events import Metric
from opportune.reports import to_document, use_case_health
from opportune.reports.summary import EDGES, DaySummary
from opportune.reports.use_case_health import _drift
from opportune.storage import Stores

METRIC = Metric(
    name="orders",
    title="Orders",
    event="Order Completed",
    property=None,
    unit="orders",
    window_days=3,
)


def test_everybody_of_the_audience_is_in_one_place_of_the_funnel(
    stores: Stores, history: ModuleType
) -> None:
    empty = use_case_health(stores, history.use_case(), METRIC, now=history.NOW)
    assert (empty.funnel, empty.drift, empty.answer) == (None, (), "Nothing was decided yet.")
    history.write(stores, history.past(profiles=100))
    reasons = ["no_consent"] * 3 + ["cooldown"]
    kept = [
        {
            "use_case": history.USE_CASE,
            "version": 1,
            "day": date(2026, 1, 10),
            "profile_id": 9000 + place,
            "user_id": "",
            "values": [],
            "eligible": [],
            "reason": reason,
        }
        for place, reason in enumerate(reasons)
    ]
    stores.lake.append("features", pa.Table.from_pylist(kept, schema=FEATURES))
    stores.state.rows("delete from outbox")
    stores.state.rows(
        "insert into outbox (key, use_case, day, connector, profile_id, user_id, properties,"
        " due_at, state, reason)"
        " select 'k' || n, 'next_offer', '2026-01-10', 'braze', n, 'u', '{}', now(),"
        " case when n <= 50 then 'sent' when n <= 60 then 'failed' else 'pending' end,"
        " case when n between 51 and 60 then 'bounced' end from generate_series(1, 67) as n"
    )
    found = use_case_health(stores, history.use_case(), METRIC, now=history.NOW)
    funnel = found.funnel
    assert funnel is not None
    assert (funnel.day, funnel.audience, funnel.eligible) == (date(2026, 1, 10), 104, 100)
    assert [(each.reason, each.why, each.profiles) for each in funnel.blocked] == [
        ("no_consent", "they allow no channel", 3),
        ("cooldown", "they had every option of a dimension, or every action left, too lately", 1),
    ]
    assert (funnel.decided, funnel.control, funnel.silent, funnel.to_send) == (100, 20, 0, 80)
    outbox = [(each.state, each.reason, each.count) for each in funnel.outbox]
    assert outbox == [("sent", "", 50), ("failed", "bounced", 10), ("pending", "", 7)]
    assert found.answer == (
        "On 2026-01-10 104 were meant, 100 were decided for, 80 were to be sent something, and the "
        "connector took 50; 7 wait in the outbox."
    )
    stores.state.rows("update outbox set state = 'scheduled' where key in ('k61', 'k62')")
    held = use_case_health(stores, history.use_case(), METRIC, now=history.NOW)
    assert held.answer.endswith("took 50; 5 wait in the outbox; 2 wait at Braze.")
    assert {each.feature for each in found.drift} == set(history.use_case().feature_names)
    assert not any(each.moved for each in found.drift)
    delays = cast("dict[str, Any]", to_document(found)["delays"])
    assert delays["rewarded"] == found.delays.rewarded > 0


def test_a_feature_that_moved_is_named(history: ModuleType) -> None:
    case = history.use_case()
    days = []
    for place in range(9):
        rows = [
            {"feature": name, "edge": edge, "dimension": dimension, "choice": "x", "decisions": n}
            for dimension in ("offer", "channel")
            for name, edge, n in (
                ("tenure_months", 1.0, 900 if place < 8 else 300),
                ("tenure_months", 50.0, 100 if place < 8 else 700),
                ("has_tv", 0.0, 500),
                ("has_tv", 1.0, 500),
            )
        ]
        days.append(
            DaySummary(
                day=date(2026, 1, 1) + timedelta(days=place),
                decisions=1000,
                variants={},
                choices={},
                edges=pa.Table.from_pylist(rows, schema=EDGES),
            )
        )
    found = _drift(cast("Stores", None), case, days)
    first = found[0]
    expected = stats.population_stability(
        pa.array([6300, 700]).to_numpy(), pa.array([300, 700]).to_numpy()
    )
    assert (first.feature, first.moved) == ("tenure_months", True)
    assert first.stability == pytest.approx(expected, rel=1e-12)
    assert {each.feature: each.moved for each in found[1:]} == {
        "has_tv": False,
        "plan=basic": False,
        "plan=plus": False,
    }
    assert _drift(cast("Stores", None), case, days[:1]) == ()
