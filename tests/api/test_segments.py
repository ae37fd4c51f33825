"""Segments over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from opportune import profiles, project, segments
from opportune.events import EVENTS
from opportune.storage import Stores

Ask = Callable[..., tuple[int, Any]]


pytestmark = pytest.mark.usefixtures("members")


@pytest.fixture
def members(stores: Stores, history: Any) -> None:
    """Three customers, two of them in a segment."""
    bodies = {"plus": {"trait": "plan", "is": "plus"}, "others": {"not": {"segment": "plus"}}}
    for name, rule in bodies.items():
        stores.state.rows(
            "insert into definition (kind, name, version, body, created_at)"
            " values ('segment', %(name)s, 1, %(body)s::jsonb, now())",
            {"name": name, "body": json.dumps({"rule": rule})},
        )
    rows = [
        {
            "message_id": f"m{number}",
            "source_id": "shop",
            "type": "identify",
            "user_id": f"somebody-{number}",
            "traits": json.dumps({"plan": "plus" if number else "basic"}),
            **dict.fromkeys(
                ("occurred_at", "occurred_at_us", "received_at", "received_at_us"), 1_000_000
            ),
        }
        for number in range(3)
    ]
    with stores.state.transaction() as connection:
        profiles.resolve(connection, pa.Table.from_pylist(rows, schema=EVENTS))
    segments.current(stores, bodies, project.read(stores.state).segments, now=history.NOW)


def test_segments_are_listed_with_their_sizes(ask: Ask) -> None:
    status, found = ask("/api/segments")
    assert status == 200
    assert [(each["name"], each["members"], each["follows"]) for each in found["segments"]] == [
        ("others", 1, False),
        ("plus", 2, False),
    ]
    assert found["segments"][1]["words"] == 'plan is "plus"'


def test_a_segment_shows_days_and_members_by_page(ask: Ask) -> None:
    status, first = ask("/api/segments/plus?days=2&limit=1")
    assert (status, first["members"], len(first["trend"])) == (200, 2, 2)
    assert (first["trend"][1]["entered"], first["trend"][1]["members"]) == (2, 2)
    status, second = ask(f"/api/segments/plus?limit=1&after={first['next']}")
    assert {first["people"][0]["hint"], second["people"][0]["hint"]} == {"so…1", "so…2"}
    assert ask(f"/api/segments/plus?limit=1&after={second['next']}")[1]["people"] == []
    assert ask("/api/segments/plus/overlap/others") == (200, {"one": 2, "other": 1, "both": 0})


def test_a_rule_is_asked_while_it_is_written(ask: Ask) -> None:
    rule = {"trait": "plan", "one_of": ["plus", "basic"]}
    status, found = ask("/api/segments/preview", {"rule": rule})
    assert (status, found["size"], found["share"], len(found["sample"])) == (200, 3, 1.0, 3)
    assert found["words"] == 'plan is "plus" or "basic"'


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "said"),
    [
        ("segments/plis", None, 404, "unknown_segment", "Did you mean 'plus'?"),
        ("segments/plus/overlap/other", None, 404, "unknown_segment", "Did you mean 'others'?"),
        (
            "segments/preview",
            {"rule": {"trait": "plan", "iss": 1}},
            400,
            "invalid_rule",
            "Did you mean 'is'?",
        ),
    ],
)
def test_mistakes_are_answered_with_the_nearest_name(
    ask: Ask, path: str, body: object, status: int, code: str, said: str
) -> None:
    found, problem = ask(f"/api/{path}", body)
    assert (found, problem["code"]) == (status, code)
    assert said in problem["message"]


def test_audiences_say_what_each_destination_was_told(ask: Ask, stores: Stores) -> None:
    stores.state.rows(
        "insert into definition (kind, name, version, body, created_at) values"
        ' (\'segment\', \'vips\', 1, \'{"title": "V", "rule": {"event": "A"}}\', now()),'
        " ('audience', 'reach', 1, '{\"segments\": [\"vips\"]}', now())"
    )
    stores.state.rows(
        "insert into audience_publication"
        " (audience, destination, segments, minus, channel, assumed)"
        " values ('reach', 'ads', '{vips}', '{}', '*', false)"
    )
    status, answer = ask("/api/audiences")
    assert status == 200
    (reach,) = answer["audiences"]
    assert (reach["purpose"], reach["channel"], reach["members"]) == (None, "*", 0)
    assert reach["published"] == [
        {
            **{"destination": "ads", "members": 0, "is_ready": False},
            **{"refused": None, "published_at": None},
        }
    ]
