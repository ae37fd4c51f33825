"""Whatever happens, in whatever batches: live members are those that the rule names in bulk."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import drawn
from opportune.storage import DuckDB, Stores, fetch

EXAMPLES = settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)
PEOPLE = st.sampled_from(
    [
        ("u1", None),
        ("u2", None),
        (None, "a1"),
        (None, "a2"),
        ("u1", "a1"),
        ("u2", "a2"),
        ("u2", "a1"),
    ]
)
WAITS = st.sampled_from([0, 1, 15, 30, 31, 45, 60, 61, 1440, 2880, 10080])
STEPS = st.lists(
    st.sampled_from(["events", "events", "wait", "wait", "wait", "cut"]), min_size=4, max_size=9
)


@EXAMPLES
@given(data=st.data())
def test_members_are_those_of_the_rule_at_every_step(
    stores: Stores, duckdb: DuckDB, followed: type[Any], data: st.DataObject
) -> None:
    live_as_bulk(stores, duckdb, followed, data)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(EXAMPLES, max_examples=40)
@given(data=st.data())
def test_members_are_those_of_the_rule_at_every_step_of_many_worlds(
    stores: Stores, duckdb: DuckDB, followed: type[Any], data: st.DataObject
) -> None:
    live_as_bulk(stores, duckdb, followed, data)


def live_as_bulk(stores: Stores, duckdb: DuckDB, followed: type[Any], data: st.DataObject) -> None:
    """Live through some steps; after each, ask all rules of everybody."""
    plain = drawn.nested(drawn.leaves("trait") | drawn.of_events | drawn.sessions)
    bodies = {
        "timed": data.draw(timed()),
        "vip": data.draw(plain),
        "new": data.draw(plain | st.just({"not": {"segment": "vip"}})),
        "third": data.draw(drawn.documents),
    }
    with stores.state.transaction() as connection:
        world = followed(connection, duckdb, drawn.NOW - timedelta(days=1), bodies)
        world.begin()
        if data.draw(st.booleans()):
            fetch(
                connection,
                "insert into definition (kind, name, version, body, created_at)"
                " values ('settings', 'identity', 1, '{\"consent\": \"q\"}', now())",
            )
        for step in ["events", *data.draw(STEPS)]:
            if step == "events":
                world.take_in(*data.draw(st.lists(messages(), min_size=1, max_size=5)))
            elif step == "wait":
                world.now += timedelta(minutes=data.draw(WAITS), microseconds=data.draw(NUDGES))
                world.follow()
            elif able := world.cuttable():
                world.cut(*data.draw(st.sampled_from(able)))
                world.follow()
            assert world.members() == world.in_bulk()
        connection.rollback()


NUDGES = st.sampled_from([0, 0, 1])


def timed() -> st.SearchStrategy[dict[str, object]]:
    """A rule whose answer time alone changes soon after what the messages say."""
    few = st.sampled_from([{"minutes": 15}, {"minutes": 30}, {"hours": 1}, {"days": 1}])
    windows = st.sampled_from(["within", "ago"])
    counted = st.builds(
        lambda name, key, span, count: {"event": name, key: span, "count": {"at_least": count}},
        *(drawn.events, windows, few, st.integers(1, 2)),
    )
    absent = st.builds(
        lambda first, last, span: {
            "sequence": [{"event": first}, {"event": last, "absent": True, "within": span}]
        },
        *(st.sampled_from(drawn.EVENTS), st.sampled_from(drawn.EVENTS), few),
    )
    near = st.builds(
        lambda noun, key, days: {noun: "when", key: days},
        *(st.just("trait"), st.sampled_from(["in_last_days", "in_next_days"]), st.integers(1, 2)),
    )
    dated = near.map(
        lambda leaf: {"event": drawn.EVENTS, "where": {**leaf, "property": leaf["trait"]}}
    ).map(lambda rule: {**rule, "where": {k: v for k, v in rule["where"].items() if k != "trait"}})
    return (counted | absent | near | dated).flatmap(
        lambda rule: st.sampled_from([rule, {"not": rule}])
    )


def messages() -> st.SearchStrategy[dict[str, object]]:
    """A message of somebody, mostly of the last days, sometimes of the next minutes."""
    at = st.sampled_from([0, 0, 1, 15, 30, 60, 1440, 2880, -1, -30]).map(
        lambda minutes: timedelta(minutes=-minutes)
    )
    who = PEOPLE.map(lambda pair: {"user_id": pair[0], "anonymous_id": pair[1]})
    did = st.fixed_dictionaries(
        {"event": st.sampled_from([*drawn.EVENTS, *drawn.EVENTS, "D"]), "properties": drawn.fields}
    )
    told = st.fixed_dictionaries({"traits": drawn.fields})
    return st.builds(lambda at, who, what: {"at": at, **who, **what}, at, who, did | did | told)
