"""A day's recommendations are told to who wants them, each once."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from typing import Any

import pyarrow as pa

from opportune.activation import prune, tell_decisions
from opportune.decisions import DECISIONS, Activation, Dimension, Option, UseCase
from opportune.storage import Stores

DAY = date(2026, 3, 1)
MORNING = datetime(2026, 3, 1, 6, tzinfo=UTC)

USE_CASE = UseCase(
    name="win_back",
    version=1,
    title="win_back",
    success_metric="orders",
    audience=("everybody",),
    minus=(),
    features=(),
    dimensions=tuple(
        Dimension(
            name=name,
            meaning="choice",
            options=tuple(Option(name=each, eligible=None) for each in options),
        )
        for name, options in {"offer": ("bundle", "news"), "tone": ("warm", "dry")}.items()
    ),
    control_share=0.1,
    policy="uniform",
    decide_at=time(6),
    activation=Activation(connector="braze", config={}),
)


def decide(stores: Stores, *decided: tuple[int, str, list[str]]) -> None:
    stores.lake.create("decisions", DECISIONS)
    rows = [
        {
            "decision_id": f"win_back:{DAY:%Y%m%d}:{profile:016x}",
            "use_case": "win_back",
            "version": 1,
            "day": DAY,
            "profile_id": profile,
            "user_id": f"user {profile}",
            "variant": variant,
            "action": action,
            "propensity": 0.25,
            "dimension_propensities": [0.5] * 2,
            "eligible": [3] * 2,
            "policy_version": "p/1",
            "explored": False,
            "decided_at": MORNING,
            "decided_at_us": int(MORNING.timestamp() * 1_000_000),
        }
        for profile, variant, action in decided
    ]
    stores.lake.append("decisions", pa.Table.from_pylist(rows, schema=DECISIONS))


def test_each_recommendation_is_told_once(out: Any, stores: Stores) -> None:
    decide(stores, (1, "treatment", ["bundle", "dry"]), (2, "control", ["news", "warm"]))
    treated = out.apply(kinds=["decision"])
    both = out.apply("both", kinds=["decision"], variants=["treatment", "control"])
    other = out.apply("other", kinds=["segment"])
    for expected in ([1, 2, 0], [0, 0, 0]):
        added = [
            tell_decisions(stores, each, USE_CASE, DAY, now=MORNING)
            for each in (treated, both, other)
        ]
        assert added == expected
    assert out.messages() == [
        {
            "type": "track",
            "event": "Offer Decided",
            "messageId": "decision:win_back:20260301:0000000000000001",
            "userId": "user 1",
            "timestamp": "2026-03-01T06:00:00.000000Z",
            "properties": {
                "decision_id": "win_back:20260301:0000000000000001",
                "use_case": "win_back",
                "variant": "treatment",
                "action": {"offer": "bundle", "tone": "dry"},
                "propensity": 0.25,
            },
            "context": {"opportune": {"destination": "crm"}},
        }
    ]
    assert [row["profile_id"] for row in out.rows("both")] == [1, 2]


def test_what_is_sent_is_taken_out_after_a_while_and_stays_counted(
    out: Any, stores: Stores
) -> None:
    decide(stores, *((n, "treatment", ["bundle", "dry"]) for n in range(1, 5)))
    destination = out.apply(kinds=["decision"])
    tell_decisions(stores, destination, USE_CASE, DAY, now=MORNING)
    stores.state.rows("update outbox set state = 'sent' where profile_id in (1, 2)")
    stores.state.rows("update outbox set state = 'failed', reason = 'no' where profile_id = 3")
    april = datetime(2026, 4, 1, tzinfo=UTC)
    assert prune(stores.state, days=31, now=april) == 0
    assert prune(stores.state, days=30, now=april) == 3
    assert prune(stores.state, days=30, now=april) == 0
    assert tell_decisions(stores, destination, USE_CASE, DAY, now=april) == 0
    assert [json.loads(row["message"])["userId"] for row in out.rows()] == ["user 4"]
    totals = stores.state.rows("select * from outbox_total order by state")
    assert [(row["state"], row["reason"], row["count"]) for row in totals] == [
        ("failed", "no", 1),
        ("sent", "", 2),
    ]
