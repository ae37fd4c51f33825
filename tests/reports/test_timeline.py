"""What happened to one person, page by page, against all that is in the lake."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune import profiles, reports
from opportune.decisions import DECISIONS
from opportune.reports.timeline import PLACES, InvalidCursor, _ranges
from opportune.storage import Stores

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
TakeIn = Callable[..., None]


def track(number: int, hours_ago: float, **who: str) -> dict[str, object]:
    return {
        "type": "track",
        "event": "Message Opened" if number % 5 == 0 else "Order Completed",
        "messageId": f"m{number:04}",
        "timestamp": (NOW - timedelta(hours=hours_ago)).isoformat(),
        "properties": {"n": number},
        **(who or {"userId": "ana"}),
    }


def pages(stores: Stores, *, limit: int) -> list[reports.Timeline]:
    found = profiles.get(stores.state, "user_id", "ana")
    read: list[reports.Timeline] = []
    before = None
    while not read or before is not None:
        read.append(reports.timeline(stores, found.profile_id, before=before, limit=limit))
        before = read[-1].before
    return read


def decide(stores: Stores, profile_id: int) -> None:
    at = NOW - timedelta(hours=30)
    row: dict[str, Any] = {
        "decision_id": "d1",
        "use_case": "win_back",
        "version": 1,
        "day": at.date(),
        "profile_id": profile_id,
        "user_id": "ana",
        "variant": "control",
        "action": ["bundle", "18"],
        "propensity": 0.25,
        "dimension_propensities": [0.5, 0.5],
        "eligible": [3, 3],
        "policy_version": "p/1",
        "explored": True,
        "decided_at": at,
        "decided_at_us": int(at.timestamp() * 1_000_000),
    }
    rows = [row, {**row, "decision_id": "d2", "profile_id": profile_id + 1}]
    stores.lake.append("decisions", pa.Table.from_pylist(rows, schema=DECISIONS))


def test_pages_hold_everything_once_and_the_newest_first(stores: Stores, take_in: TakeIn) -> None:
    spread = [track(n, (n * 7) % 300 + n / 7) for n in range(60)]
    others = [track(100 + n, n, userId="ben") for n in range(60)]
    for start in range(0, 60, 20):
        take_in(*spread[start : start + 20], *others[start : start + 20])
    take_in(track(200, 299.5, anonymousId="a1"), track(201, 1, userId="ana", anonymousId="a1"))
    profile_id = profiles.get(stores.state, "user_id", "ana").profile_id
    decide(stores, profile_id)
    stores.state.rows(
        "insert into segment_membership (segment, profile_id, entered_at, left_at)"
        " values ('vip', %(id)s, %(entered)s, %(left)s)",
        {"id": profile_id, "entered": NOW - timedelta(hours=31), "left": NOW},
    )
    expected = {*(f"m{n:04}" for n in (*range(60), 200, 201)), "d1", "entered:vip", "left:vip"}
    for limit in (1, 7, 200):
        read = pages(stores, limit=limit)
        entries = [entry for page in read for entry in page.entries]
        assert sorted(each.id for each in entries) == sorted(expected)
        assert [each.at for each in entries] == sorted((each.at for each in entries), reverse=True)
        assert max(len(page.entries) for page in read) == min(limit, len(expected))
    by_id = {each.id: each for each in entries}
    assert by_id["m0005"].kind == "message"
    assert (by_id["m0007"].kind, by_id["m0007"].facts) == ("event", {"n": 7})
    assert by_id["d1"].facts == {
        "day": "2026-02-28",
        "variant": "control",
        "action": ["bundle", "18"],
        "propensity": 0.25,
        "explored": True,
        "policy_version": "p/1",
    }
    assert (by_id["left:vip"].title, by_id["left:vip"].facts) == ("vip", {"change": "left"})


def test_events_of_the_same_moment_are_not_lost_between_pages(
    stores: Stores, take_in: TakeIn
) -> None:
    take_in(*(track(n, 1) for n in range(25)))
    take_in(*(track(n, 1) for n in range(25)))
    for limit in (1, 10):
        ids = [entry.id for page in pages(stores, limit=limit) for entry in page.entries]
        assert ids == [f"m{n:04}" for n in reversed(range(25))]


@pytest.mark.parametrize("before", ["", "x", "1:segment:a", "1:event", f"{10**19}:event:a"])
def test_a_page_begins_where_one_ended(stores: Stores, take_in: TakeIn, before: str) -> None:
    take_in(track(1, 1))
    profile_id = profiles.get(stores.state, "user_id", "ana").profile_id
    with pytest.raises(InvalidCursor):
        reports.timeline(stores, profile_id, before=before)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 20)), min_size=1, max_size=40))
def test_ranges_cover_all_spans_and_are_few_and_apart(given: list[tuple[int, int]]) -> None:
    spans = [(low, low + width) for low, width in given]
    ranges = _ranges(spans)
    assert len(ranges) <= PLACES
    assert all(any(low <= a and b <= high for low, high in ranges) for a, b in spans)
    assert all(one[1] < two[0] for one, two in pairwise(ranges))
