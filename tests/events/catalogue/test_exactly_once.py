"""However often a process is killed, and however the log is cut into batches: the same counts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mortal import Fate, Killed, mortal
from opportune import events
from opportune.events import Recorded, catalogue
from opportune.storage import Engine, Frame, Lake, Stores, open_engine

PLAN = """
violations = "block"
unplanned_events = "block"
[[events]]
name = "Order Completed"
properties = { revenue = { type = "number", required = true }, coupon = { type = "string" } }
[[events]]
name = "Viewed"
"""


def story(order: Callable[..., dict[str, object]]) -> list[list[dict[str, object]]]:
    """Good, flagged, blocked and refused messages, and repeats of all of them."""
    return [
        [order("a", revenue=1), order("b", revenue="1"), order("a", revenue=1), {"type": "bad"}],
        [order("c", revenue=2.5, coupon="X"), order("b", revenue="1"), order("d", event="Vieved")],
        [order("e", event="Viewed", page="home"), order("c", revenue=2.5, coupon="X")],
    ]


@pytest.mark.parametrize("at", range(11))
def test_a_process_killed_anywhere_leaves_the_counts_as_they_would_be(
    stores: Stores, open_shop: Any, order: Callable[..., dict[str, object]], at: int
) -> None:
    with open_shop(stores) as shop:
        shop.apply(shop=PLAN)
    for number, batch in enumerate(story(order)):
        dying = mortal(stores, Fate(at=at))
        with open_shop(dying) as shop:
            shop.post(*batch, at_us=1_772_344_800_000_000 + number)
            with suppress(Killed):
                shop.ingest.tick()
        dying.state.close()
    with open_shop(stores) as shop:
        shop.ingest.catch_up()
        seen = {name: (each.events, each.blocked) for name, each in shop.events().items()}
        assert shop.stored() == ["a", "c", "e"]
        codes = sorted(each.code for each in shop.rejects())
        assert codes == ["schema_violation", "unknown_type", "unplanned"]
        assert seen == {"Order Completed": (2, 1), "Vieved": (0, 1), "Viewed": (1, 0)}
        fields = shop.fields("Order Completed")
        assert fields["revenue"].types == {"integer": 1, "number": 1}
        assert fields["revenue"].violations == {"wrong_type": 1}
        assert shop.fields("Viewed")["page"].violations == {"unplanned": 1}
        assert shop.events()["Order Completed"].events_24h == 2


def test_what_a_killed_process_refused_stays_refused_though_the_plan_is_gone(
    stores: Stores, open_shop: Any, order: Callable[..., dict[str, object]]
) -> None:
    with open_shop(stores) as shop:
        shop.apply(shop=PLAN)
    # Tracking is read in one transaction, and the rejects are one commit.
    dying = mortal(stores, Fate(at=4))
    with open_shop(dying) as shop:
        shop.post(order("a", revenue=1), order("b", revenue="1"))
        with pytest.raises(Killed):
            shop.ingest.tick()
        assert shop.stored() == []
    dying.state.close()
    with open_shop(stores) as shop:
        shop.apply(shop='[[events]]\nname = "Order Completed"\n')
        shop.ingest.catch_up()
        assert shop.stored() == ["a"]
        assert [each.message_id for each in shop.rejects()] == ["b"]
        seen = shop.events()["Order Completed"]
        assert (seen.events, seen.blocked) == (1, 1)


def test_state_that_was_away_counts_what_the_lake_stored(
    shop: Any, order: Callable[..., dict[str, object]]
) -> None:
    for batch in story(order):
        shop.post(*batch)
        shop.ingest.store()
    assert shop.events() == {}
    shop.ingest.catch_up()
    assert {name: each.events for name, each in shop.events().items()} == {
        **{"Order Completed": 3, "Vieved": 1, "Viewed": 1},
    }


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.emails(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
PROPERTIES = st.dictionaries(st.text(max_size=8), VALUES, max_size=5)
TYPES = {str: "strings", bool: "booleans", list: "arrays", dict: "objects", type(None): "nulls"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = Lake(tmp_path_factory.mktemp("lake"))
    events.create_tables(made)
    with closing(open_engine("duckdb:", made)) as opened:
        yield opened


def counted(
    engine: Engine, batches: list[list[dict[str, object]]], *plans: events.TrackingPlan
) -> dict[tuple[str, str, str], int]:
    """Sum what each batch adds, by event, field and type."""
    sums: dict[tuple[str, str, str], int] = {}
    for batch in batches:
        body = json.dumps({"batch": batch}).encode()
        frame = Frame(received_at_us=1, source_id="shop", kind="batch", body=body)
        table = events.event_table([(frame, events.decode_segment(frame).events)])
        recorded = Recorded(
            events=table,
            blocked=table.slice(0, 0),
            duplicates=0,
            rejected=0,
            checked=events.violations(engine, plans, table),
        )
        for row in catalogue.count(engine, recorded, declared=events.FieldClasses()).fields:
            for column in (*TYPES.values(), "integers", "numbers"):
                key = (str(row["event"]), str(row["name"]), column)
                sums[key] = sums.get(key, 0) + int(str(row[column]))
    return {key: count for key, count in sums.items() if count}


def by_hand(properties: list[Mapping[str, object]]) -> dict[tuple[str, str, str], int]:
    sums: dict[tuple[str, str, str], int] = {}
    for each in properties:
        for name, value in each.items():
            number = "integers" if isinstance(value, int) else "numbers"
            key = ("E", name.replace("\0", "\ufffd"), TYPES.get(type(value), number))
            sums[key] = sums.get(key, 0) + 1
    return sums


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(properties=st.lists(PROPERTIES, min_size=1, max_size=8), cut=st.integers(0, 8))
def test_any_json_is_counted_the_same_however_it_is_cut_into_batches(
    engine: Engine, properties: list[dict[str, object]], cut: int
) -> None:
    messages = [
        {"type": "track", "event": "E", "userId": "c", "messageId": f"{n}", "properties": each}
        for n, each in enumerate(properties)
    ]
    known = {"type": "identify", "userId": "c", "messageId": "i", "traits": properties[0]}
    plan = events.parse_plan("shop", {"events": [{"name": "E"}]}, [])
    assert plan is not None
    every = [*messages, known]
    assert counted(engine, [every], plan) == counted(engine, [every]), "judged or not"
    batches = [part for part in (messages[:cut], messages[cut:]) if part]
    assert counted(engine, batches) == counted(engine, [messages])
    whole = {
        key: count
        for key, count in by_hand(properties).items()
        # A whole number beyond 64 bits is a number to the engine.
        if key[2] not in ("integers", "numbers")
    }
    found = counted(engine, [messages])
    assert {key: n for key, n in found.items() if key[2] not in ("integers", "numbers")} == whole
