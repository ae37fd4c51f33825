"""A day's decisions are put in line for those alone who allow it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any

import pyarrow as pa
import pytest

from opportune.activation import enqueue
from opportune.decisions import DECISIONS, Activation, Dimension, Option, UseCase
from opportune.storage import Stores

DAY = date(2026, 3, 1)
MORNING = datetime(2026, 3, 1, 6, tzinfo=UTC)
CHANNELS = ("email", "push")
PEOPLE = ("ana", "ben", "cat", "dan")
TakeIn = Callable[..., None]
USE_CASE = UseCase(
    name="win_back",
    version=1,
    title="win_back",
    success_metric="orders",
    audience=("everybody",),
    minus=(),
    features=(),
    dimensions=(
        Dimension(
            name="channel",
            meaning="choice",
            options=tuple(Option(name=each, eligible=None) for each in CHANNELS),
        ),
    ),
    control_share=0.1,
    policy="uniform",
    decide_at=time(6),
    activation=Activation(connector="braze", config={}),
)


def ask_for_consent(stores: Stores, unknown: str) -> None:
    purposes = {"marketing": {"unknown": unknown, "traits": {"email": "email", "push": "push"}}}
    stores.state.rows(
        "insert into definition (kind, name, version, body, created_at)"
        " values ('settings', 'consent', 1, %(body)s::jsonb, now())",
        {"body": json.dumps({"sends": "marketing", "purposes": purposes})},
    )


def decide(stores: Stores) -> None:
    """Everybody by email, and by push."""
    stores.lake.create("decisions", DECISIONS)
    rows = [
        {
            "decision_id": f"{user}:{channel}",
            "use_case": "win_back",
            "version": 1,
            "day": DAY,
            "profile_id": place,
            "user_id": user,
            "variant": "treatment",
            "action": [channel],
            "propensity": 0.5,
            "dimension_propensities": [0.5],
            "eligible": [3],
            "policy_version": "p/1",
            "explored": False,
            "decided_at": MORNING,
            "decided_at_us": int(MORNING.timestamp() * 1_000_000),
        }
        for place, user in enumerate(PEOPLE)
        for channel in CHANNELS
    ]
    stores.lake.append("decisions", pa.Table.from_pylist(rows, schema=DECISIONS))


def states(stores: Stores) -> dict[str, tuple[Any, ...]]:
    rows = stores.state.rows("select key, state, reason, purpose, channel from outbox")
    return {row.pop("key"): tuple(row.values()) for row in rows}


@pytest.mark.parametrize("unknown", ["no", "yes"])
def test_each_channel_needs_consent_and_the_second_run_changes_nothing(
    stores: Stores, take_in: TakeIn, unknown: str
) -> None:
    ask_for_consent(stores, unknown)

    def say(user: str, **traits: object) -> dict[str, object]:
        message = {"type": "identify", "userId": user, "traits": traits}
        return {**message, "messageId": f"{user}{len(traits)}", "timestamp": MORNING.isoformat()}

    take_in(
        say("ana", email=True, push="no"),
        say("ben", push="granted"),
        say("cat", plan="plus"),
        received_at=MORNING,
    )
    decide(stores)
    yes = ("pending", None, "marketing")
    no = ("failed", "no_consent", "marketing")
    open_ = yes if unknown == "yes" else no
    assert enqueue(stores, USE_CASE, DAY, now=MORNING) == (7 if unknown == "yes" else 2)
    expected = {
        "ana:email": (*yes, "email"),
        "ana:push": (*no, "push"),
        "ben:email": (*open_, "email"),
        "ben:push": (*yes, "push"),
        **{f"{user}:{each}": (*open_, each) for user in ("cat", "dan") for each in CHANNELS},
    }
    assert states(stores) == expected
    take_in({**say("cat", email=True, a=1, b=2)}, received_at=MORNING)
    assert enqueue(stores, USE_CASE, DAY, now=MORNING) == 0
    assert states(stores) == expected


def test_a_use_case_may_need_another_purpose(stores: Stores) -> None:
    ask_for_consent(stores, "yes")
    decide(stores)
    needs = replace(
        USE_CASE, activation=Activation(connector="braze", config={}, purpose="research")
    )
    assert enqueue(stores, needs, DAY, now=MORNING) == 0
    assert {row[:3] for row in states(stores).values()} == {("failed", "no_consent", "research")}


def test_where_no_consent_is_asked_for_everything_is_put_in_line(stores: Stores) -> None:
    decide(stores)
    assert enqueue(stores, USE_CASE, DAY, now=MORNING) == 8
    assert {row[:3] for row in states(stores).values()} == {("pending", None, None)}
