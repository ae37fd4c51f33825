"""Segments over HTTP."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from opportune import profiles, segments
from opportune.events import EVENTS
from opportune.segments import Segment
from opportune.storage import Stores

Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def ask(site: Any, stores: Stores) -> Ask:
    """Ask the interface about three customers, two of them in a segment; with a body it posts."""
    rule = {"trait": "plan", "is": "plus"}
    _define(stores, "plus", rule)
    _define(stores, "others", {"not": {"segment": "plus"}})
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
    known = segments.refresh_everyone(stores)
    parsed = segments.parse_segment("plus", {"rule": rule}, [])
    assert isinstance(parsed, Segment)
    segments.refresh(stores, parsed, known, now=site.now)

    def asked(path: str, body: object = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(site.address.removeprefix("http://"), timeout=30)
        try:
            headers = {"Content-Type": "application/json"}
            method, sent = ("GET", None) if body is None else ("POST", json.dumps(body))
            connection.request(method, f"/api/{path}", sent, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    return asked
