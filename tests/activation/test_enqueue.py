"""A day's treated decisions become rows of the outbox, each exactly once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pytest

from opportune.activation import enqueue, prune
from opportune.decisions import DECISIONS, Activation, Dimension, Option, UseCase
from opportune.storage import Stores, load_sql

DAY = date(2026, 3, 1)
MORNING = datetime(2026, 3, 1, 6, tzinfo=UTC)


def use_case(name: str = "win_back", **options: tuple[str, ...]) -> UseCase:
    chosen = options or {"offer": ("bundle", "newsletter"), "hour": ("09", "18")}
    return UseCase(
        name=name,
        version=1,
        title=name,
        success_metric="orders",
        audience=("everybody",),
        minus=(),
        features=(),
        dimensions=tuple(
            Dimension(
                name=dimension,
                meaning="hour" if dimension == "hour" else "choice",
                options=tuple(Option(name=each, eligible=None) for each in names),
            )
            for dimension, names in chosen.items()
        ),
        control_share=0.1,
        policy="uniform",
        decide_at=time(6),
        activation=Activation(connector="braze", config={}),
    )


def decide(
    stores: Stores,
    *decided: tuple[int, str, list[str]],
    name: str = "win_back",
    day: date = DAY,
) -> None:
    """Log decisions of (profile, variant, action)."""
    stores.lake.create("decisions", DECISIONS)
    rows = [
        {
            "decision_id": f"{name}:{day:%Y%m%d}:{profile:016x}",
            "use_case": name,
            "version": 1,
            "day": day,
            "profile_id": profile,
            "user_id": f"user {profile}, 'quoted' \"twice\"",
            "variant": variant,
            "action": action,
            "propensity": 0.5,
            "dimension_propensities": [0.5] * len(action),
            "eligible": [3] * len(action),
            "policy_version": "p/1",
            "explored": False,
            "decided_at": MORNING,
            "decided_at_us": int(MORNING.timestamp() * 1_000_000),
        }
        for profile, variant, action in decided
    ]
    stores.lake.append("decisions", pa.Table.from_pylist(rows, schema=DECISIONS))


def outbox(stores: Stores) -> list[dict[str, Any]]:
    return stores.state.rows(
        "select key, use_case, day, connector, profile_id, user_id, properties, due_at, state,"
        " attempts, attempted_at, dispatch_id, reason from outbox order by key"
    )


def test_what_takes_a_send_back_is_noted_where_the_use_case_says_so(stores: Stores) -> None:
    decide(stores, (1, "treatment", ["bundle", "18"]))
    ends = replace(use_case().activation, cancel_when=("converted",))
    enqueue(stores, replace(use_case(), activation=ends), DAY, now=MORNING, ends_on=["Order Paid"])
    other = "other"
    decide(stores, (1, "treatment", ["bundle", "18"]), name=other)
    enqueue(stores, use_case(other), DAY, now=MORNING, ends_on=["Order Paid"])
    rows = stores.state.rows("select ends_on, ends_from from outbox order by key desc")
    assert [(row["ends_on"], row["ends_from"]) for row in rows] == [
        (["Order Paid"], MORNING),
        (None, None),
    ]


def test_every_treated_decision_becomes_one_row_that_is_due_at_its_hour(stores: Stores) -> None:
    decide(
        stores,
        (1, "treatment", ["bundle", "18"]),
        (2, "treatment", ["newsletter", "09"]),
        (3, "control", ["bundle", "09"]),
    )
    assert enqueue(stores, use_case(), DAY, now=MORNING) == 2
    one, two = outbox(stores)
    assert one == {
        "key": "win_back:20260301:0000000000000001",
        "use_case": "win_back",
        "day": DAY,
        "connector": "braze",
        "profile_id": 1,
        "user_id": "user 1, 'quoted' \"twice\"",
        "properties": {"offer": "bundle", "hour": "18"},
        "due_at": datetime(2026, 3, 1, 18, tzinfo=UTC),
        "state": "pending",
        "attempts": 0,
        "attempted_at": None,
        "dispatch_id": None,
        "reason": None,
    }
    assert two["properties"] == {"offer": "newsletter", "hour": "09"}
    assert two["due_at"] == datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_an_hour_that_has_passed_is_due_at_once(stores: Stores) -> None:
    decide(stores, (1, "treatment", ["bundle", "09"]))
    late = datetime(2026, 3, 1, 14, 30, tzinfo=UTC)
    assert enqueue(stores, use_case(), DAY, now=late) == 1
    assert outbox(stores)[0]["due_at"] == late


def test_without_an_hour_dimension_everything_is_due_at_once(stores: Stores) -> None:
    decide(stores, (1, "treatment", ["bundle"]))
    assert enqueue(stores, use_case(offer=("bundle", "newsletter")), DAY, now=MORNING) == 1
    assert outbox(stores)[0]["due_at"] == MORNING


def test_the_same_day_enqueued_again_adds_nothing_and_touches_nothing(stores: Stores) -> None:
    decide(stores, (1, "treatment", ["bundle", "18"]), (2, "treatment", ["bundle", "09"]))
    assert enqueue(stores, use_case(), DAY, now=MORNING) == 2
    stores.state.rows("update outbox set state = 'sent', dispatch_id = 'd' where profile_id = 1")
    before = outbox(stores)
    assert enqueue(stores, use_case(), DAY, now=MORNING.replace(hour=20)) == 0
    assert outbox(stores) == before


def test_what_a_killed_run_left_out_is_added_by_the_next(stores: Stores) -> None:
    decide(stores, (1, "treatment", ["bundle", "18"]), (2, "treatment", ["bundle", "09"]))
    enqueue(stores, use_case(), DAY, now=MORNING)
    stores.state.rows("delete from outbox where profile_id = 2")
    assert enqueue(stores, use_case(), DAY, now=MORNING) == 1
    assert [row["profile_id"] for row in outbox(stores)] == [1, 2]


def test_only_the_asked_use_case_and_day_are_enqueued(stores: Stores) -> None:
    decide(stores, (1, "treatment", ["bundle", "18"]))
    decide(stores, (2, "treatment", ["bundle", "18"]), day=date(2026, 3, 2))
    decide(stores, (3, "treatment", ["bundle", "18"]), name="other")
    assert enqueue(stores, use_case(), DAY, now=MORNING) == 1
    assert [row["profile_id"] for row in outbox(stores)] == [1]


@pytest.mark.parametrize("variant", ["control", None])
def test_a_day_with_nobody_to_send_to_adds_nothing(stores: Stores, variant: str | None) -> None:
    decide(stores, *([(1, variant, ["bundle", "18"])] if variant else []))
    assert enqueue(stores, use_case(), DAY, now=MORNING) == 0
    assert outbox(stores) == []


def test_an_option_named_alike_in_two_dimensions_is_not_mixed_up(stores: Stores) -> None:
    decide(stores, (1, "treatment", ["09", "18"]), (2, "treatment", ["18", "09"]))
    enqueue(stores, use_case(gift=("09", "18"), hour=("09", "18")), DAY, now=MORNING)
    one, two = outbox(stores)
    assert (one["properties"], one["due_at"].hour) == ({"gift": "09", "hour": "18"}, 18)
    assert (two["properties"], two["due_at"].hour) == ({"gift": "18", "hour": "09"}, 9)


def test_what_was_taken_out_stays_counted_and_is_not_put_in_again(stores: Stores) -> None:
    decide(stores, (1, "treatment", ["bundle", "09"]), (2, "treatment", ["bundle", "09"]))
    assert enqueue(stores, use_case(), DAY, now=MORNING) == 2
    stores.state.rows("update outbox set state = 'sent'")
    facts = {"use_case": "win_back", "most": 10}
    before = stores.state.rows(load_sql("opportune.reports", "deliveries"), facts)
    assert prune(stores.state, days=30, now=MORNING + timedelta(days=40)) == 2
    assert outbox(stores) == []
    assert stores.state.rows(load_sql("opportune.reports", "deliveries"), facts) == before
    assert enqueue(stores, use_case(), DAY, now=MORNING + timedelta(days=40)) == 0
