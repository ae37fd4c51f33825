"""Segment's and RudderStack's Python libraries against the whole program."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rudderstack.analytics.client import Client as RudderClient
from segment.analytics.client import Client as SegmentClient


@pytest.mark.parametrize(
    ("source", "kind"), [("segment-python", SegmentClient), ("rudder-python", RudderClient)]
)
def test_events_of_a_python_library_are_found_in_the_lake_and_the_profile(
    program: Any, source: str, kind: Any
) -> None:
    failed: list[object] = []
    client = kind(
        program.keys[source],
        host=program.address,
        on_error=lambda error, items: failed.append(error),
    )
    user_id = f"{source}-1"
    client.identify(user_id, {"plan": "gold", "seats": 4})
    for number in range(40):
        client.track(user_id, "Order Completed", {"number": number})
    client.page(user_id, "Docs", "Home", {"url": "http://x.example"})
    client.screen(user_id, "Shop", "Cart")
    client.group(user_id, "acct-5", {"employees": 420})
    client.alias("visitor-1", user_id)
    client.flush()
    client.join()
    assert failed == []
    rows = program.events(source, count=45)
    assert len(rows) == 45
    assert {row["user_id"] for row in rows} == {user_id}
    orders = [row for row in rows if row["event"] == "Order Completed"]
    assert [json.loads(row["properties"])["number"] for row in orders] == list(range(40))
    profile = program.profile("user_id", user_id)
    assert (profile["traits"]["plan"], profile["traits"]["seats"]) == ("gold", 4)
