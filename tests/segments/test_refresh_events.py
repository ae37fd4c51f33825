"""Members by what they did, and by what other segments they are in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from opportune import events, profiles, rules
from opportune.segments import Segment, check_references, in_order, refresh
from opportune.storage import Stores

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
FIRST_US = int((NOW - timedelta(days=1)).timestamp()) * 1_000_000


def segment(name: str, rule: Mapping[str, object]) -> Segment:
    return Segment(name=name, title=name, rule=rules.parse(rule, where=name))


def happened(stores: Stores, *rows: Mapping[str, object]) -> None:
    """Put events into the lake, a minute apart, and the people who did them into State."""
    events.create_tables(stores.lake)
    table = [
        {
            "message_id": f"m{place}",
            "source_id": "shop",
            "type": "track",
            "occurred_at_us": FIRST_US + place * 60_000_000,
            "received_at_us": FIRST_US + place * 60_000_000,
            "properties": "{}",
            **row,
        }
        for place, row in enumerate(rows)
    ]
    for row in table:
        row["occurred_at"] = row["occurred_at_us"]
        row["received_at"] = row["received_at_us"]
    stores.lake.append("events", pa.Table.from_pylist(table, schema=events.EVENTS))
    for kind, value, profile_id in (
        ("user_id", "ada", 1),
        ("anonymous_id", "a-phone", 1),
        ("user_id", "bob", 2),
    ):
        stores.state.rows(
            "with made as (insert into profile (profile_id, first_seen_at, last_seen_at)"
            " values (%(id)s, now(), now()) on conflict do nothing)"
            " insert into identifier (kind, value, profile_id, linked_at)"
            " values (%(kind)s, %(value)s, %(id)s, now()) returning value",
            {"kind": kind, "value": value, "id": profile_id},
        )


def members(stores: Stores, name: str, rule: Mapping[str, object]) -> list[int]:
    known = profiles.snapshot(stores.state)
    count = refresh(stores, segment(name, rule), known, now=NOW)
    rows = stores.state.rows(
        "select profile_id from segment_membership"
        " where segment = %(segment)s and left_at is null order by profile_id",
        {"segment": name},
    )
    assert len(rows) == count
    return [row["profile_id"] for row in rows]


def test_events_count_for_whoever_they_belong_to(stores: Stores) -> None:
    happened(
        stores,
        {"event": "Order Completed", "user_id": "ada"},
        {"event": "Order Completed", "anonymous_id": "a-phone"},
        {"event": "Order Completed", "user_id": "bob", "anonymous_id": "a-phone"},
        {"event": "Order Completed", "user_id": "nobody"},
    )
    order = {"event": "Order Completed"}
    assert members(stores, "buyers", order) == [1, 2]
    assert members(stores, "regulars", {**order, "count": {"at_least": 2}}) == [1]
    assert members(stores, "others", {**order, "count": {"is": 0}}) == []


def test_pages_and_screens_have_names_to_ask_for(stores: Stores) -> None:
    happened(
        stores,
        {"type": "page", "user_id": "ada", "properties": '{"name": "Shoes"}'},
        {"type": "screen", "user_id": "bob", "properties": '{"name": "Shoes"}'},
    )
    shoes = {"property": "name", "is": "Shoes"}
    assert members(stores, "p", {"event": "Page Viewed", "where": shoes}) == [1]
    assert members(stores, "s", {"event": "Screen Viewed", "where": shoes}) == [2]


def test_a_segment_may_be_made_of_others(stores: Stores) -> None:
    happened(stores, {"event": "A", "user_id": "ada"}, {"event": "B", "user_id": "bob"})
    assert members(stores, "a", {"event": "A"}) == [1]
    assert members(stores, "not-a", {"not": {"segment": "a"}}) == [2]
    assert members(stores, "both", {"any": [{"segment": "a"}, {"segment": "not-a"}]}) == [1, 2]


def made_of(**parts: list[str]) -> dict[str, Segment]:
    return {
        name: segment(name, {"any": [{"segment": part} for part in each] or [{"event": "A"}]})
        for name, each in parts.items()
    }


def test_a_segment_comes_after_its_parts() -> None:
    segments = made_of(a=["b", "c"], b=["d"], c=["d"], d=[], e=[])
    assert in_order(["a", "d"], segments) == ("d", "b", "c", "a")
    assert in_order(["e", "c"], segments) == ("e", "d", "c")


def test_a_part_that_does_not_exist_is_a_mistake() -> None:
    problems: list[str] = []
    check_references({**made_of(a=["bb"], b=[]), "broken": None}, problems)
    assert problems == [
        "segments/a.toml: rule: no segment 'bb'. Did you mean 'b'? Allowed: a, b, broken."
    ]


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"a": ["a"]}, ["a > a"]),
        ({"a": ["b"], "b": ["a"]}, ["a > b > a", "b > a > b"]),
        ({"a": ["b", "c"], "b": ["c"], "c": ["d"], "d": ["b"]}, None),
    ],
)
def test_a_segment_made_of_itself_is_a_mistake(
    parts: dict[str, list[str]], said: list[str] | None
) -> None:
    problems: list[str] = []
    check_references(made_of(**parts), problems)
    named = [problem.partition("of itself: ")[2].partition(". ")[0] for problem in problems]
    assert named == (
        said if said is not None else ["b > c > d > b", "c > d > b > c", "d > b > c > d"]
    )
