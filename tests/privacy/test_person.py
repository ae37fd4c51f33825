"""What is stored of a person is handed out whole, and who is silent expires."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from opportune import privacy, profiles

ANA = "c000013"
VISITOR = "visitor-0815-ana"
AFTER = datetime(2026, 3, 4, 7, tzinfo=UTC)


def test_an_export_has_everything_of_one_person_and_nothing_of_others(life: Any) -> None:
    found = privacy.export_person(life.stores, "email", " Ana.Maria@mail.example", now=AFTER)
    text = json.dumps(found)
    assert "c000001" not in text
    assert {each["kind"] for each in found["identifiers"]} == {
        *("anonymous_id", "email", "phone", "user_id"),
    }
    names = sorted(each["event"] or each["type"] for each in found["events"])
    assert names == ["Logged In", *["Order Completed"] * 3, "Page Seen", "identify"]
    assert found["events"][0]["anonymous_id"] == VISITOR
    assert len(found["decisions"]) == 4
    assert [each["reward"] is not None for each in found["decisions"]] == [True, True, False, False]
    assert [each["day"] for each in found["features"]] == [
        f"2026-03-0{day}" for day in (1, 2, 3, 4)
    ]
    assert len(found["rejects"]) == 1
    assert {name: len(rows) for name, rows in found["state"].items()} == {
        "event_hour": 6,
        "identifier": 4,
        "identifier_link": 3,
        "membership_untold": 1,
        "outbox": 4,
        "profile": 1,
        "segment_membership": 1,
        "telling": 1,
    }
    assert found["state"]["profile"][0]["traits"]["email"] == "Ana.Maria@mail.example"


def test_an_export_of_somebody_who_was_forgotten_or_never_was_finds_nobody(life: Any) -> None:
    life.forget()
    for kind, value in (("user_id", ANA), ("email", "nobody@mail.example"), ("user_id", "a\0b")):
        with pytest.raises(privacy.UnknownPerson):
            privacy.export_person(life.stores, kind, value, now=AFTER)


def seen(at: datetime, name: str, **who: object) -> dict[str, object]:
    return {
        "type": "track",
        "event": name,
        "messageId": f"{name}-{at}-{sorted(who.values(), key=str)}",
        "timestamp": at.isoformat(),
        **who,
    }


def known(life: Any, value: str) -> bool:
    try:
        profiles.get(life.stores.state, "anonymous_id", value)
    except profiles.UnknownProfile:
        return False
    return True


def test_silent_profiles_without_a_user_id_expire_and_stay_counted(life: Any) -> None:
    day = timedelta(days=1)
    life.send(
        seen(AFTER - 50 * day, "Page", anonymousId="silent"),
        seen(AFTER - 50 * day, "Page", anonymousId="sent to"),
        seen(
            AFTER - 50 * day,
            "Page",
            anonymousId="known by mail",
            context={"traits": {"email": "m@mail.example"}},
        ),
        seen(AFTER - 50 * day, "Page", anonymousId="came again"),
        seen(AFTER - 5 * day, "Page", anonymousId="came again"),
        seen(AFTER - 5 * day, "Message Sent", anonymousId="sent to"),
        seen(AFTER - 50 * day, "Page", userId="c000099", anonymousId="of a customer"),
        at=AFTER,
    )
    life.take_in()
    state = life.stores.state
    state.rows(
        "insert into segment_membership (segment, profile_id, entered_at)"
        " select 'visitors', profile_id, %(at)s from identifier where value = 'silent'",
        {"at": AFTER - day},
    )
    events = life.stores.lake.read("events").num_rows
    after_days = privacy.parse_expiry("anonymous_id=30")
    assert privacy.expire(state, {}, now=AFTER) == 0
    assert privacy.expire(state, after_days, now=AFTER) == 2
    assert privacy.expire(state, after_days, now=AFTER) == 0
    left = ["silent", "sent to", "known by mail", "came again", "of a customer"]
    assert [known(life, each) for each in left] == [False, False, True, True, True]
    assert state.rows("select profiles from privacy_expired") == [{"profiles": 2}]
    assert state.rows("select 1 from segment_membership where segment = 'visitors'") == []
    assert life.stores.lake.read("events").num_rows == events
    # All kinds of a profile must allow it.
    life.send(
        seen(
            AFTER - 20 * day,
            "Page",
            anonymousId="device one",
            context={"traits": {"email": "d@mail.example"}},
        ),
        at=AFTER,
    )
    life.take_in()
    both = privacy.parse_expiry("anonymous_id=10, email=40")
    assert privacy.expire(state, both, now=AFTER) == 1
    assert privacy.expire(state, both, now=AFTER + 30 * day) == 2


@pytest.mark.parametrize(
    "text", ["user_id=3", "anonymous_id", "anonymous_id=0", "a b=3", "x=99999"]
)
def test_an_expiry_that_cannot_be_read_says_what_is_allowed(text: str) -> None:
    with pytest.raises(privacy.InvalidExpiry, match="anonymous_id=90"):
        privacy.parse_expiry(text)
