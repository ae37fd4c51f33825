"""A row is due when its decision says; an action that sends nothing has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np
import pytest

from opportune import policies, profiles
from opportune.activation import enqueue
from opportune.decisions import (
    Activation,
    Constraints,
    Dimension,
    Option,
    QuietHours,
    UseCase,
    decide,
    snapshot,
)
from opportune.storage import Stores, fetch

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
    dimensions=(
        Dimension(
            name="offer",
            meaning="choice",
            options=(
                Option(name="tea", eligible=None, parameters={"code": "TEA", "percent": 10}),
                Option(name="none", eligible=None, nothing=True),
            ),
        ),
        Dimension(name="at", meaning="hour", options=(Option(name="09", eligible=None),)),
    ),
    control_share=0.0,
    policy="fixed",
    decide_at=time(6),
    activation=Activation(connector="braze", config={}),
    constraints=Constraints(quiet_hours=QuietHours(start=time(21), end=time(8))),
)


@pytest.fixture
def shop(stores: Stores) -> Stores:
    """Ana lives in Berlin, by her trait; Ben in Chicago, by his events; nobody knows of Cat."""
    with stores.state.transaction() as connection:
        for statement in (
            "insert into profile (profile_id, traits, first_seen_at, last_seen_at) values"
            """ (1, '{"timezone": "Europe/Berlin"}', now(), now()),"""
            """ (2, '{"time_zone": "Mars/Olympus"}', now(), now()), (3, '{}', now(), now())""",
            "insert into identifier (kind, value, profile_id, linked_at) values"
            " ('user_id', 'ana', 1, now()), ('user_id', 'ben', 2, now()),"
            " ('anonymous_id', 'b', 2, now()), ('user_id', 'cat', 3, now())",
            "insert into event_hour (identifier_id, hour, events, received_from_us, received_to_us,"
            " zone_at_us, zone) values (identity_hash('user_id', 'ben'), 1, 1, 1, 1, 10, 'UTC'),"
            " (identity_hash('user_id', 'ben'), 2, 1, 1, 1, null, null),"
            " (identity_hash('anonymous_id', 'b'), 3, 1, 1, 1, 20, 'America/Chicago')",
            "insert into segment_membership (segment, profile_id, entered_at)"
            " select 'everybody', profile_id, now() from profile",
        ):
            fetch(connection, statement)
    return stores


def decided(stores: Stores, case: UseCase, action: tuple[str, ...]) -> None:
    snapshot(stores, case, DAY, profiles.snapshot(stores.state))
    policy = policies.Fixed(case.space, action)
    assert decide(stores, case, DAY, policy=policy, policy_version="p", now=MORNING)


def outbox(stores: Stores) -> list[tuple[Any, ...]]:
    rows = stores.state.rows(
        "select user_id, due_at, properties, zone, quiet_from, quiet_to from outbox order by key"
    )
    return [tuple(row.values()) for row in rows]


def test_a_row_is_due_at_its_hour_where_the_profile_lives(shop: Stores) -> None:
    decided(shop, USE_CASE, ("tea", "09"))
    assert enqueue(shop, USE_CASE, DAY, now=MORNING) == 3
    properties = {"offer": "tea", "at": "09", "code": "TEA", "percent": 10}
    night = (time(21), time(8))
    assert outbox(shop) == [
        ("ana", datetime(2026, 3, 1, 8, tzinfo=UTC), properties, "Europe/Berlin", *night),
        ("ben", datetime(2026, 3, 1, 15, tzinfo=UTC), properties, "America/Chicago", *night),
        ("cat", datetime(2026, 3, 1, 9, tzinfo=UTC), properties, "UTC", *night),
    ]
    assert enqueue(shop, USE_CASE, DAY, now=MORNING.replace(hour=20)) == 0


def test_a_row_that_is_late_is_due_at_once_and_says_when_it_is_quiet(shop: Stores) -> None:
    decided(shop, USE_CASE, ("tea", "09"))
    late = MORNING.replace(hour=14)
    enqueue(shop, USE_CASE, DAY, now=late)
    assert [row[1].hour for row in outbox(shop)] == [14, 15, 14]


def test_an_action_that_sends_nothing_is_decided_and_has_no_row(shop: Stores) -> None:
    decided(shop, USE_CASE, ("none", "09"))
    assert enqueue(shop, USE_CASE, DAY, now=MORNING) == 0
    assert outbox(shop) == []
    rows = shop.lake.read("decisions").to_pylist()
    assert [(row["action"], row["due_at"]) for row in rows] == [(["none", "09"], None)] * 3


@pytest.mark.parametrize("meaning", ["channel", "choice"])
def test_the_dimension_that_means_the_channel_names_it(shop: Stores, meaning: str) -> None:
    way = Dimension(
        name="way" if meaning == "channel" else "channel",
        meaning=meaning,
        options=(Option(name="push", eligible=None),),
    )
    case = replace(USE_CASE, dimensions=(way,), constraints=Constraints())
    decided(shop, case, ("push",))
    assert enqueue(shop, case, DAY, now=MORNING) == 3
    rows = shop.state.rows("select channel, due_at, zone, quiet_from from outbox")
    assert {tuple(row.values()) for row in rows} == {("push", MORNING, None, None)}


Say = Callable[..., None]


def test_a_channel_that_is_not_allowed_is_not_chosen(shop: Stores, take_in: Say) -> None:
    shop.state.rows(
        "insert into definition (kind, name, version, body, created_at) values ('settings',"
        """ 'consent', 1, '{"sends": "news", "purposes": {"news": {"unknown": "no", "traits":"""
        """ {"mail": "email", "app": "push"}}}}', now())"""
    )
    said = {"ana": {"mail": True, "app": True}, "ben": {"app": True, "mail": False}}
    take_in(
        *(
            {"type": "identify", "userId": user, "messageId": user, "traits": each}
            | {"timestamp": MORNING.isoformat()}
            for user, each in said.items()
        ),
        received_at=MORNING,
    )
    options = tuple(Option(name=each, eligible=None) for each in ("email", "push"))
    way = Dimension(name="way", meaning="channel", options=options)
    case = replace(USE_CASE, dimensions=(way,), constraints=Constraints())
    snapshot(shop, case, DAY, profiles.snapshot(shop.state))
    decide(
        shop, case, DAY, policy=policies.Uniform(case.space), policy_version="p", now=MORNING
    )  # fmt: skip
    rows = {row["user_id"]: row for row in shop.lake.read("decisions").to_pylist()}
    assert {user: row["eligible"] for user, row in rows.items()} == {"ana": [0b11], "ben": [0b10]}
    assert rows["ben"]["action"] == ["push"]
    assert np.isclose(rows["ben"]["propensity"], 1.0)
    assert enqueue(shop, case, DAY, now=MORNING) == 2
    assert {row["state"] for row in shop.state.rows("select state from outbox")} == {"pending"}
