"""Sizes, trends, members, overlap, and a rule that is asked while it is written."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from opportune import project, segments
from opportune.rules import InvalidRule
from opportune.segments import SegmentDay

BOUGHT = {"event": "Order Completed", "within": {"days": 1}}
DAY = timedelta(days=1)


def order(user_id: str) -> dict[str, object]:
    return {"event": "Order Completed", "userId": user_id}


@pytest.fixture
def lived(shop: Any) -> Any:
    """Three days in a shop: two buy on the first, one more on the second."""
    shop.define("buyers", BOUGHT)
    shop.define("plus", {"trait": "plan", "is": "plus"})
    shop.follow()
    told = {"type": "identify", "userId": "ada@example.com", "traits": {"plan": "plus"}}
    shop.say(order("ada@example.com"), order("bob"), told, {"event": "Login", "anonymousId": "a"})
    shop.wait(DAY / 2)
    shop.say(order("carl@example.com"))
    shop.wait(DAY)
    return shop


def test_a_segment_shows_its_size_and_its_days(lived: Any) -> None:
    state = lived.stores.state
    defined = project.read(state).segments
    found = segments.states(state, defined)
    assert [(each.name, each.members, each.share, each.follows) for each in found] == [
        ("buyers", 1, 0.25, True),
        ("plus", 1, 0.25, True),
    ]
    assert found[1].words == 'plan is "plus"'
    assert segments.trend(state, "buyers", now=lived.now, days=3) == [
        SegmentDay(day=date(2026, 2, 28), entered=0, left=0, members=0),
        SegmentDay(day=date(2026, 3, 1), entered=3, left=0, members=3),
        SegmentDay(day=date(2026, 3, 2), entered=0, left=2, members=1),
    ]


def test_members_come_by_page_and_masked(lived: Any) -> None:
    lived.say(order("bob"), order("ada@example.com"))
    state = lived.stores.state
    first = segments.people(state, "buyers", limit=2)
    assert first.following == first.people[-1].profile_id
    rest = segments.people(state, "buyers", after=first.following, limit=2)
    assert (len(rest.people), rest.following) == (1, None)
    hints = {each.hint for each in (*first.people, *rest.people)}
    assert hints == {"…", "ad…m", "ca…m"}


def test_two_segments_overlap(lived: Any) -> None:
    lived.say(order("ada@example.com"))
    found = segments.overlap(lived.stores.state, "buyers", "plus")
    assert (found.one, found.other, found.both) == (2, 1, 1)


def test_a_rule_is_asked_while_it_is_written(lived: Any) -> None:
    defined = project.read(lived.stores.state).segments
    rule = {"all": [{"event": ["Order Completed", "Order Complted"]}, {"segment": "plus"}]}
    found = segments.preview(lived.stores, rule, defined, now=lived.now)
    assert (found.size, found.share) == (1, 0.25)
    assert [each.hint for each in found.sample] == ["ad…m"]
    assert found.moves_by_time is False
    assert found.notes == (
        "No event 'Order Complted' has come so far. Did you mean 'Order Completed'?",
    )
    everyone = segments.preview(lived.stores, {"not": BOUGHT}, defined, now=lived.now)
    assert (everyone.size, everyone.moves_by_time) == (3, True)
    rows = lived.stores.state.rows("select segment from live_segment order by segment")
    assert [row["segment"] for row in rows] == ["buyers", "plus"]


def test_a_rule_with_unknown_segments_is_refused(lived: Any) -> None:
    defined = project.read(lived.stores.state).segments
    rule = {"any": [{"segment": "buyer"}, {"event": "Segment Entered"}]}
    with pytest.raises(InvalidRule) as refused:
        segments.preview(lived.stores, rule, defined, now=lived.now)
    assert refused.value.problems == (
        "rule: no segment 'buyer'. Did you mean 'buyers'? Allowed: buyers, plus.",
        "rule: 'Segment Entered' is said by segments themselves. Ask {segment = \"NAME\"} instead.",
    )
