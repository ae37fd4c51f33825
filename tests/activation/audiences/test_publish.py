"""Destinations are told who comes into an audience and who leaves it: each change once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from opportune import activation, privacy
from opportune.events import FieldClasses, FieldPolicies, FieldPolicy

OUT = {"type": "identify", "userId": "bob", "traits": {"newsletter": False}}
AGAIN = {"type": "identify", "userId": "bob", "traits": {"newsletter": True}}


def test_who_comes_and_goes_is_told_once(shop: Any) -> None:
    shop.buy("ada", "bob")
    assert shop.news() == [("ada", True), ("bob", True)]
    assert shop.news() == []
    shop.buy("ada")
    assert shop.news() == []
    shop.say(OUT)
    assert shop.news() == [("bob", False)]
    shop.say(AGAIN)
    assert shop.news() == [("bob", True)]
    assert len({each["messageId"] for each in shop.messages()}) == 4


def test_who_came_and_left_in_between_is_no_news(shop: Any) -> None:
    shop.buy("bob")
    shop.say(OUT)
    assert shop.news() == []
    assert shop.publish() == 0


def test_the_message_is_the_one_that_audiences_elsewhere_send(shop: Any) -> None:
    shop.destination("ads", connector="file", audience_as="identify", traits=["plan"])
    shop.say({"type": "identify", "userId": "ada", "traits": {"plan": "gold", "city": "Ulm"}})
    shop.buy("ada")
    shop.publish()
    context = {
        "opportune": {"destination": "crm"},
        "personas": {
            "computation_class": "audience",
            "computation_key": "reach",
            "computation_id": "reach",
        },
    }
    (tracked,) = shop.messages()
    assert tracked.pop("messageId").startswith("audience:")
    assert tracked == {
        "type": "track",
        "event": "Audience Entered",
        "userId": "ada",
        "anonymousId": None,
        "timestamp": "2026-03-01T06:00:00.000000Z",
        "properties": {"audience_key": "reach", "reach": True},
        "context": {**context, "traits": {}},
    }
    (identified,) = shop.messages("ads")
    assert identified.pop("messageId") != tracked
    assert identified["type"] == "identify"
    assert identified["traits"] == {"plan": "gold", "reach": True}
    assert identified["context"]["opportune"] == {"destination": "ads"}


def test_a_visitor_who_logs_in_is_told_by_the_user_id(shop: Any) -> None:
    shop.say({"event": "Order Completed", "anonymousId": "a"})
    assert shop.news() == [("a", True)]
    shop.say({"event": "Login", "userId": "carl", "anonymousId": "a"})
    assert shop.news() == [("a", False), ("carl", True)]


def test_of_two_that_become_one_the_lost_one_is_removed(shop: Any) -> None:
    shop.buy("carl")
    shop.say({"event": "Order Completed", "anonymousId": "a"})
    assert shop.news() == [("a", True), ("carl", True)]
    shop.say({"event": "Login", "userId": "carl", "anonymousId": "a"})
    assert shop.news() == [("a", False)]
    rows = shop.stores.state.rows(
        "select told.value from audience_published as told join profile using (profile_id)"
    )
    assert rows == [{"value": "carl"}]


def test_who_leaves_as_time_passes_is_told(shop: Any) -> None:
    shop.segment("lately", {"event": "Order Completed", "within": {"days": 2}})
    shop.fill()
    shop.audience("reach", segments=["lately"], minus=[])
    shop.buy("ada")
    assert shop.news() == [("ada", True)]
    shop.now += timedelta(days=3)
    shop.ingest.tick()
    assert shop.news() == [("ada", False)]


def test_nobody_is_told_before_every_segment_is_filled(shop: Any) -> None:
    shop.say(OUT)
    shop.buy("ada", "bob")
    shop.segment("blocked", {"trait": "newsletter", "is": False})
    shop.audience("reach", minus=["blocked"])
    assert shop.news() == []
    (published,) = activation.published_audiences(shop.stores.state)
    assert (published.is_ready, published.members, published.published_at) == (False, 0, None)
    shop.fill()
    assert shop.news() == [("ada", True)]
    (published,) = activation.published_audiences(shop.stores.state)
    assert (published.is_ready, published.members) == (True, 1)
    assert published.published_at == shop.now


def test_an_audience_that_is_another_one_now_tells_the_difference(shop: Any) -> None:
    shop.say(OUT)
    shop.buy("ada", "bob")
    assert shop.news() == [("ada", True)]
    shop.audience("reach", minus=[])
    assert shop.news() == [("bob", True)]
    shop.segment("buyers", {"event": "Login"}, version=2)
    assert shop.news() == []
    shop.fill()
    assert shop.news() == [("ada", False), ("bob", False)]


def test_a_destination_that_is_not_told_any_more_removes_everybody(shop: Any) -> None:
    shop.destination("ads")
    shop.buy("ada")
    assert (shop.news("ads"), shop.told()) == ([("ada", True)], [("ada", True)])
    shop.destination("ads", audiences=[], events=["*"])
    assert (shop.news("ads"), shop.news()) == ([("ada", False)], [])
    shop.publish()
    (left,) = activation.published_audiences(shop.stores.state)
    assert left.destination == "crm"
    del shop.destinations["crm"]
    assert shop.news() == []
    assert activation.published_audiences(shop.stores.state) == []
    assert shop.stores.state.rows("select value from audience_published") == []


def test_only_who_allows_the_purpose_is_published(shop: Any) -> None:
    consent = {"purposes": {"ads": {"unknown": "no", "traits": {"opt_in": "*"}}}}
    shop.define("settings", "consent", consent)
    shop.audience(purpose="ads")
    yes, no = ({"type": "identify", "traits": {"opt_in": said}} for said in (True, False))
    shop.say({**yes, "userId": "ada"}, {**no, "userId": "bob"})
    shop.buy("ada", "bob", "carl")
    assert shop.news() == [("ada", True)]
    shop.now += timedelta(seconds=1)
    shop.say({**no, "userId": "ada"}, {**yes, "userId": "carl"})
    assert sorted(shop.news()) == [("ada", False), ("carl", True)]
    shop.define("settings", "consent", {"purposes": {"ads": {"unknown": "yes"}}}, version=2)
    shop.buy("dora")
    assert shop.news() == [("dora", True)]


def test_a_forbidden_field_stops_additions_and_lets_removals_pass(shop: Any) -> None:
    shop.buy("ada", "bob")
    shop.publish()
    shop.policies = FieldPolicies(classes=FieldClasses(traits={"newsletter": "sensitive"}))
    shop.buy("carl")
    shop.say(OUT)
    assert shop.news() == [("bob", False)]
    (published,) = activation.published_audiences(shop.stores.state)
    assert published.refused == (
        "trait 'newsletter' is sensitive (as declared), and policy 'sensitive-data' forbids "
        "sensitive fields for audiences. Use another field."
    )
    shop.policies = FieldPolicies()
    assert shop.news() == [("carl", True)]


def test_a_label_of_the_audience_can_be_forbidden_to_one_destination(shop: Any) -> None:
    shop.destination("ads")
    shop.audience(labels=["third-party"])
    no_third_party = FieldPolicy(
        name="ours", title="Ours", forbids=("third-party",), applies_to=("destinations/ads",)
    )
    shop.policies = FieldPolicies(policies=(no_third_party,))
    shop.buy("ada")
    assert (shop.news(), shop.told("ads")) == ([("ada", True)], [])
    refused = {
        each.destination: each.refused for each in activation.published_audiences(shop.stores.state)
    }
    assert refused["crm"] is None
    assert "audience 'reach' is third-party (as labelled), and policy 'ours'" in refused["ads"]


def test_a_trait_that_is_forbidden_there_stays_here(shop: Any) -> None:
    shop.destination(traits=["plan", "health"])
    shop.say({"type": "identify", "userId": "ada", "traits": {"plan": "gold", "health": "good"}})
    shop.buy("ada")
    shop.publish()
    (message,) = shop.messages()
    assert message["context"]["traits"] == {"plan": "gold"}


def test_where_nothing_is_published_nothing_is_noted(shop: Any) -> None:
    shop.destinations.clear()
    shop.buy("ada")
    assert shop.publish() == 0
    assert shop.stores.state.rows("select * from audience_touched") == []


def test_an_anonymous_profile_that_expires_is_removed(shop: Any) -> None:
    shop.say({"event": "Order Completed", "anonymousId": "a"})
    assert shop.news() == [("a", True)]
    shop.stores.state.rows("update outbox set state = 'sent'")
    shop.now += timedelta(days=40)
    assert privacy.expire(shop.stores.state, {"anonymous_id": 30}, now=shop.now) == 1
    assert shop.news() == [("a", False)]
    assert shop.stores.state.rows("select * from audience_touched") == []
