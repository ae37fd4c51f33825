"""What of a batch of events goes into the outbox for which destination, and what of it leaves."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from opportune.events import FieldClasses, parse_field_policies
from opportune.storage import load_sql

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_an_event_that_is_named_becomes_one_row_under_its_own_id(out: Any) -> None:
    out.apply(events=["Order Completed"], properties=["total"])
    order = {
        "event": "Order Completed",
        "user": "u1",
        "id": "m1",
        "properties": {"total": 12.5, "email": "a@b.example"},
        "context": {"ip": "10.0.0.1"},
    }
    assert out.feed(order, {"event": "Page Left", "user": "u1", "id": "m2"}) == 1
    (row,) = out.rows()
    assert (row["key"], row["use_case"], row["state"]) == (
        "destination/crm:m1",
        "destination/crm",
        "pending",
    )
    assert (row["day"], row["due_at"], row["connector"]) == (NOW.date(), NOW, "file")
    known = out.stores.state.rows("select profile_id from profile")
    assert [row["profile_id"]] == [each["profile_id"] for each in known]
    assert out.messages() == [
        {
            "type": "track",
            "event": "Order Completed",
            "messageId": "m1",
            "userId": "u1",
            "anonymousId": None,
            "timestamp": "2026-03-01T09:00:00.000000Z",
            "properties": {"total": 12.5},
            "context": {"opportune": {"destination": "crm"}, "traits": {}},
        }
    ]


def test_a_message_that_comes_again_changes_nothing(out: Any) -> None:
    out.apply(events=["Order Completed"])
    order = {"event": "Order Completed", "user": "u1", "id": "m1"}
    out.feed(order)
    out.stores.state.rows("update outbox set state = 'sent'")
    before = out.rows()
    out.feed(order)
    assert out.rows() == before


@pytest.mark.parametrize(
    ("properties", "left"),
    [([], {}), (["b", "c"], {"b": [1]}), (["*"], {"a": "x", "b": [1]})],
)
def test_only_properties_that_are_listed_leave(
    out: Any, properties: list[str], left: dict[str, object]
) -> None:
    out.apply(events=["*"], properties=properties)
    out.feed({"event": "Any", "user": "u1", "properties": {"a": "x", "b": [1]}})
    assert [each["properties"] for each in out.messages()] == [left]


def test_traits_that_are_listed_leave_with_every_event(out: Any) -> None:
    out.apply(events=["Order Completed"], traits=["plan", "city"])
    out.feed(
        {"type": "identify", "user": "u1", "id": "i", "traits": {"plan": "gold", "email": "a@b.c"}},
        {"event": "Order Completed", "user": "u1", "id": "o"},
    )
    assert [each["context"]["traits"] for each in out.messages()] == [{"plan": "gold"}]


def test_a_profile_is_told_when_a_listed_trait_is_another_one(out: Any) -> None:
    out.apply(kinds=["profile"], traits=["plan", "city"])

    def identify(id: str, **traits: object) -> None:
        said_at_us = int(id[1:])
        call = {"type": "identify", "user": "u1", "id": id, "traits": traits, "at_us": said_at_us}
        out.feed(call)

    identify("i1", email="a@b.example")
    assert out.messages() == [], "nothing that is listed is known"
    identify("i2", plan="gold", email="b@c.example")
    identify("i3", plan="gold", email="c@d.example")
    identify("i4", city="Ulm")
    identify("i5", plan=None, city=None)
    identify("i6", city=None)
    assert [(each["messageId"], each["traits"]) for each in out.messages()] == [
        ("profile:i2", {"plan": "gold", "city": None}),
        ("profile:i4", {"plan": "gold", "city": "Ulm"}),
        ("profile:i5", {"plan": None, "city": None}),
    ]
    assert {(each["type"], each["userId"]) for each in out.messages()} == {("identify", "u1")}


def test_several_identify_calls_of_a_batch_are_one_piece_of_news(out: Any) -> None:
    out.apply(kinds=["profile"], traits=["plan"])
    calls = [
        {"type": "identify", "user": f"u{n % 2}", "id": f"i{n}", "traits": {"plan": n}}
        for n in range(6)
    ]
    out.feed(*calls)
    assert [(each["userId"], each["traits"]["plan"]) for each in out.messages()] == [
        ("u0", 4),
        ("u1", 5),
    ]


def test_a_long_message_id_stays_one_that_is_taken(out: Any) -> None:
    out.apply(kinds=["profile"], traits=["plan"])
    out.feed({"type": "identify", "user": "u", "id": "x" * 100, "traits": {"plan": 1}})
    (message,) = out.messages()
    assert len(message["messageId"]) <= 100


def test_who_enters_a_segment_is_told_with_all_that_is_said_of_it(out: Any) -> None:
    out.apply(kinds=["segment"])
    entered = {
        "event": "Segment Entered",
        "user": "u1",
        "source": "opportune",
        "properties": {"segment": "vip"},
    }
    out.feed(entered, {"event": "Order Completed", "user": "u1", "id": "o"})
    (message,) = out.messages()
    assert (message["event"], message["properties"]) == ("Segment Entered", {"segment": "vip"})


def test_everything_is_all_but_what_opportune_says_itself(out: Any) -> None:
    out.apply(events=["*"])
    out.apply("asked", events=["*", "Message Sent"])
    out.feed(
        {"event": "Order Completed", "user": "u1", "id": "o"},
        {"event": "Message Sent", "user": "u1", "id": "s", "source": "opportune"},
        {"event": "Segment Entered", "user": "u1", "id": "e", "source": "opportune"},
        {"type": "page", "user": "u1", "id": "p"},
    )
    assert [each["event"] for each in out.messages()] == ["Order Completed"]
    assert [each["event"] for each in out.messages("asked")] == ["Order Completed", "Message Sent"]


def test_an_event_is_sent_once_where_two_wishes_name_it(out: Any) -> None:
    out.apply(kinds=["segment"], events=["*", "Segment Exited"])
    exited = {"event": "Segment Exited", "user": "u1", "source": "partner", "properties": {"a": 1}}
    out.feed(exited)
    assert [each["properties"] for each in out.messages()] == [{"a": 1}]


def test_what_a_destination_had_from_here_is_not_sent_on(out: Any) -> None:
    out.apply(events=["*"])
    out.apply("echoing", events=["*"], echoes=True)
    back = {"opportune": {"destination": "elsewhere"}, "traits": {}}
    out.feed({"event": "Order Completed", "user": "u1", "context": back})
    assert (out.messages(), len(out.messages("echoing"))) == ([], 1)


def test_sources_can_be_left_out(out: Any) -> None:
    out.apply(events=["*"], except_sources=["partner"])
    out.feed(
        {"event": "A", "user": "u1", "id": "a", "source": "partner"},
        {"event": "B", "user": "u1", "id": "b"},
    )
    assert [each["event"] for each in out.messages()] == ["B"]


def test_history_that_is_imported_is_not_news(out: Any) -> None:
    out.apply(events=["*"])
    mark = {"id": "4be0", "file": "orders.csv"}
    out.feed(
        {"event": "Old", "user": "u1", "id": "a", "context": {"import": mark}},
        {"event": "Live", "user": "u1", "id": "b", "context": {"import": {**mark, "live": True}}},
        {"event": "Said", "user": "u1", "id": "c", "context": {"page": {"title": "import"}}},
    )
    assert [each["event"] for each in out.messages()] == ["Live", "Said"]


def test_properties_that_no_database_holds_leave_as_they_are(out: Any) -> None:
    """Deep numbers and NULs are valid JSON: one such event must not stop the others."""
    out.apply(events=["*"], properties=["*"])
    out.apply("some", events=["*"], properties=["a"])
    out.feed(
        {"event": "A", "user": "u1", "id": "a", "properties": '{"a":"x\\u0000y","b":1e999999}'},
        {"event": "B", "user": "u1", "id": "b", "properties": {"a": 1}},
    )
    assert out.rows()[0]["message"].count("x\\u0000y") == 1
    assert [each["properties"] for each in out.messages("some")] == [{}, {"a": 1}]


def test_nobody_s_wish_costs_one_look_at_the_definitions(out: Any) -> None:
    out.apply(events=["Order Completed"])
    assert out.feed({"event": "Other", "user": "u1"}) == 0
    tables = out.stores.state.rows(
        "select relname from pg_class where relname in ('outgoing', 'located')"
    )
    assert (tables, out.rows()) == ([], [])


def test_a_changed_definition_holds_from_the_next_batch_on(out: Any) -> None:
    out.apply(events=["A"])
    out.feed({"event": "A", "user": "u1", "id": "1"}, {"event": "B", "user": "u1", "id": "2"})
    out.apply(version=2, events=["B"])
    out.feed({"event": "A", "user": "u1", "id": "3"}, {"event": "B", "user": "u1", "id": "4"})
    assert [each["messageId"] for each in out.messages()] == ["1", "4"]


def test_what_was_taken_out_as_old_is_not_put_in_again(out: Any) -> None:
    out.apply(events=["A"], kinds=["profile"], traits=["plan"])
    messages = [
        {"event": "A", "user": "u1", "id": "1"},
        {"type": "identify", "user": "u1", "id": "2", "traits": {"plan": 1}},
    ]
    out.feed(*messages)
    out.stores.state.rows("update outbox set state = 'sent'")
    facts = {"before": datetime(2026, 3, 2, tzinfo=UTC), "limit": 10}
    assert out.stores.state.rows(load_sql("opportune.activation", "prune"), facts) == [{"count": 2}]
    out.feed(*messages)
    assert out.rows() == []


def test_a_field_that_no_destination_may_have_stays_here_and_that_is_told_once(
    out: Any, caplog: pytest.LogCaptureFixture
) -> None:
    out.policies = parse_field_policies(
        {"policies": {"inside": {"forbids": ["personal"], "applies_to": ["destinations/crm"]}}},
        [],
        classes=FieldClasses(),
        use_cases=(),
    )
    out.apply(events=["*"], properties=["*"], traits=["religion", "plan"])
    out.apply("calls", events=["*"], properties=["note"])
    out.feed(
        {"id": "i", "type": "identify", "user": "u1", "traits": {"religion": "x", "plan": "gold"}}
    )
    # What it holds is known by what it holds: first in this batch, then from the catalogue.
    said = {"note": "ana@mail.example", "total": 5}
    out.feed({"id": "a", "event": "Asked", "user": "u1", "properties": said})
    out.feed({"id": "b", "event": "Asked", "user": "u1", "properties": {"note": "hm", "total": 6}})
    sent = [json.loads(row["message"]) for row in out.rows()]
    assert [each["properties"] for each in sent] == [{"total": 5}, {"total": 6}]
    assert [each["context"]["traits"] for each in sent] == [{"plan": "gold"}] * 2
    assert [json.loads(row["message"])["properties"] for row in out.rows("calls")] == [
        {"note": "ana@mail.example"},
        {"note": "hm"},
    ]
    told = [each.getMessage() for each in caplog.records if "field_forbidden" in each.getMessage()]
    assert len(told) == 2
    assert "ana@mail" not in caplog.text
    assert "property 'note' is personal (by values that came)" in "".join(told)
    assert "trait 'religion' is sensitive (by its name)" in "".join(told)


def test_other_calls_are_sent_on_as_they_came_where_they_are_asked_for(out: Any) -> None:
    out.apply(kinds=["page", "group", "alias"], properties=["url"], traits=["plan"])
    named = {"name": "Home", "category": "Shop", "url": "/", "email": "a@b.example"}
    account = {"plan": "big", "phone": "+49 30 901820"}
    calls = [
        {"type": "page", "id": "p", "properties": named},
        {"type": "group", "id": "g", "properties": {"groupId": "acme"}, "traits": account},
        {"type": "alias", "id": "a", "properties": {"previousId": "old"}},
        {"type": "screen", "id": "s", "properties": {"name": "Start"}},
    ]
    assert out.feed(*({"user": "u1", **call} for call in calls)) == 3
    page, group, alias = out.messages()
    common = ("type", "messageId", "userId")
    assert [[each[name] for name in common] for each in (page, group, alias)] == [
        ["page", "p", "u1"],
        ["group", "g", "u1"],
        ["alias", "a", "u1"],
    ]
    assert (page["name"], page["category"], page["properties"]) == ("Home", "Shop", {"url": "/"})
    assert (group["groupId"], group["traits"]) == ("acme", {"plan": "big"})
    assert alias["previousId"] == "old"
    told = out.stores.state.rows(
        "select destination from destination_told"
        " where identifier_id = identity_hash('user_id', 'old')"
    )
    assert len(told) == 1


def test_all_properties_of_a_page_leave_but_those_that_are_forbidden(out: Any) -> None:
    out.apply(kinds=["page"], properties=["*"])
    out.feed({"type": "page", "user": "u1", "properties": {"name": "Home", "disease": "x", "b": 1}})
    assert [each["properties"] for each in out.messages()] == [{"name": "Home", "b": 1}]


def test_only_of_those_in_a_segment_anything_is_told(out: Any) -> None:
    out.apply(events=["*"], only="vip")
    order = {"event": "Order Completed", "user": "u1", "id": "m1"}
    assert out.feed(order) == 0
    out.stores.state.rows(
        "insert into segment_membership (segment, profile_id, entered_at)"
        " select 'vip', profile_id, now() from profile"
    )
    assert out.feed({**order, "id": "m2"}, {**order, "id": "m3", "user": "u2"}) == 1
    out.stores.state.rows("update segment_membership set left_at = now()")
    assert out.feed({**order, "id": "m4"}) == 0
    assert [each["messageId"] for each in out.messages()] == ["m2"]


def test_computed_traits_are_told_among_the_others(out: Any) -> None:
    out.apply(events=["Order Completed"], kinds=["profile"], traits=["plan", "orders"])
    said = {"type": "identify", "user": "u1", "traits": {"plan": "gold", "orders": "old"}}
    out.feed({"type": "identify", "user": "u1", "id": "i", "traits": {"city": "Ulm"}})
    out.stores.state.rows(
        "insert into computed_trait (profile_id, traits, changed_at)"
        " select profile_id, '{\"orders\": 3}', now() from profile"
    )
    out.feed(said, {"event": "Order Completed", "user": "u1", "id": "o"})
    profile, order = sorted(out.messages(), key=lambda each: str(each["type"]))
    assert profile["traits"] == order["context"]["traits"] == {"plan": "gold", "orders": 3}
