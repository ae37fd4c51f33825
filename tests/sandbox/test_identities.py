"""Aliases, identifying, merging and deleting; attributes that change what is there."""

from __future__ import annotations

from typing import Any

import pytest

EXPORT = "/users/export/ids"
AT = "2025-12-31T08:00:00Z"
CRM = {"alias_name": "crm-7", "alias_label": "crm"}


def exported(client: Any, **by: Any) -> list[dict[str, Any]]:
    users: list[dict[str, Any]] = client.post(EXPORT, by).json["users"]
    return users


def custom(client: Any, user: str = "c000001") -> dict[str, Any]:
    (found,) = exported(client, external_ids=[user], fields_to_export=["custom_attributes"])
    attributes: dict[str, Any] = found["custom_attributes"]
    return attributes


def write(client: Any, **attributes: Any) -> None:
    body = {"attributes": [{"external_id": "c000001", **attributes}]}
    assert client.post("/users/track", body).json["attributes_processed"] == 1


def test_an_alias_finds_its_user_everywhere(client: Any) -> None:
    answer = client.post("/users/alias/new", {"user_aliases": [{**CRM, "external_id": "c000001"}]})
    assert (answer.status, answer.json) == (201, {"aliases_processed": 1, "message": "success"})
    (user,) = exported(client, user_aliases=[CRM])
    assert (user["external_id"], user["user_aliases"]) == ("c000001", [CRM])
    client.send({"user_alias": CRM})
    assert client.sent_users() == [["c000001"]]
    again = {
        "user_aliases": [{"user_alias": {**CRM, "alias_name": "crm-8"}, "external_id": "c000001"}]
    }
    assert client.post("/users/alias/new", again).json["aliases_processed"] == 0
    renamed = {"alias_label": "crm", "old_alias_name": "crm-7", "new_alias_name": "crm-9"}
    assert client.post("/users/alias/update", {"alias_updates": [renamed]}).status == 201
    assert exported(client, user_aliases=[CRM]) == []
    assert exported(client, user_aliases=[{**CRM, "alias_name": "crm-9"}])[0] is not None


def test_a_user_with_only_an_alias_is_identified_and_keeps_what_is_known(client: Any) -> None:
    client.post("/users/alias/new", {"user_aliases": [CRM]})
    client.post("/users/track", {"attributes": [{"user_alias": CRM, "tier": "gold"}]})
    (before,) = exported(client, user_aliases=[CRM])
    assert "external_id" not in before
    one = {"external_id": "new-1", "user_alias": CRM}
    answer = client.post("/users/identify", {"aliases_to_identify": [one, one]})
    assert answer.json == {"aliases_processed": 1, "message": "success"}
    (after,) = exported(client, external_ids=["new-1"])
    assert after["braze_id"] == before["braze_id"]
    assert after["custom_attributes"] == {"tier": "gold"}


def test_who_is_identified_as_somebody_known_becomes_one_with_them(client: Any) -> None:
    client.post("/users/alias/new", {"user_aliases": [CRM]})
    client.post("/users/track", {"attributes": [{"user_alias": CRM, "tier": "gold"}]})
    one = {"external_id": "c000001", "user_alias": CRM}
    client.post("/users/identify", {"aliases_to_identify": [one]})
    assert custom(client)["tier"] == "gold"
    assert exported(client, user_aliases=[CRM])[0]["external_id"] == "c000001"


def test_merging_keeps_one_user_with_what_both_did(client: Any) -> None:
    for user, price in (("c000001", 10), ("c000002", 5)):
        bought = {"product_id": "p", "currency": "EUR", "price": price, "time": AT, "quantity": 2}
        client.post("/users/track", {"purchases": [{"external_id": user, **bought}]})
    pair = {
        "identifier_to_merge": {"external_id": "c000002"},
        "identifier_to_keep": {"external_id": "c000001"},
    }
    assert client.post("/users/merge", {"merge_updates": [pair]}).status == 201
    (user,) = exported(client, external_ids=["c000001", "c000002"])
    assert user["total_revenue"] == 30
    times = {"first": "2025-12-31T08:00:00.000Z", "last": "2025-12-31T08:00:00.000Z"}
    assert user["purchases"] == [{"name": "p", **times, "count": 4}]
    both = {"external_id": "c000001", "user_alias": CRM}
    wrong = {"merge_updates": [{**pair, "identifier_to_keep": both}]}
    assert client.post("/users/merge", wrong).status == 400


@pytest.mark.parametrize(
    "body",
    [
        {"external_ids": ["c000001", "gone"]},
        {"user_aliases": [CRM]},
        {
            "email_addresses": [
                {"email": "c000001@customers.example", "prioritization": ["identified"]}
            ]
        },
        {"phone_numbers": ["+491"]},
    ],
)
def test_users_are_deleted_by_any_identifier(client: Any, body: dict[str, Any]) -> None:
    client.post("/users/alias/new", {"user_aliases": [{**CRM, "external_id": "c000001"}]})
    write(client, phone="+491")
    client.send({"external_user_id": "c000001"})
    assert client.post("/users/delete", body).json == {"deleted": 1, "message": "success"}
    assert exported(client, external_ids=["c000001"]) == []
    assert client.post("/users/delete", body).json["deleted"] == 0
    client.send({"external_user_id": "c000001"})
    assert client.sent_users() == [["c000001"], []]


@pytest.mark.parametrize(
    "body",
    [{}, {"external_ids": ["a"], "braze_ids": ["b"]}, {"external_ids": ["a"] * 51}],
)
def test_deleting_takes_one_kind_of_identifier_and_at_most_fifty(client: Any, body: Any) -> None:
    assert client.post("/users/delete", body).status == 400


def test_an_address_unsubscribes_and_gets_no_email_any_more(client: Any) -> None:
    address = "c000001@customers.example"
    body = {"email": [address, "nobody@example.com"], "subscription_state": "unsubscribed"}
    assert client.post("/email/status", body).json == {"message": "success"}
    client.send({"external_user_id": "c000001"}, {"external_user_id": "c000002"})
    (call,) = client.get("/_sandbox/journal").json["calls"]
    assert (call["dropped"], call["reasons"]) == (["c000001"], ["unsubscribed"])
    sms = {"external_user_id": "c000001", "trigger_properties": {"channel": "sms"}}
    client.send(sms)
    assert client.sent_users()[1] == ["c000001"]
    listed = client.get("/email/unsubscribes?start_date=2026-01-01&limit=1&sort_direction=asc").json
    assert listed["emails"] == [{"email": address, "unsubscribed_at": "2026-01-01T00:00:00.000Z"}]
    client.post("/email/status", {"email": address, "subscription_state": "opted_in"})
    assert client.get(f"/email/unsubscribes?email={address}").json["emails"] == []


def test_attributes_count_up_grow_and_shrink(client: Any) -> None:
    write(client, visits=2, likes=["a", "b"], pets=[{"name": "x", "kind": "cat"}], gone="soon")
    write(
        client,
        visits={"inc": 3},
        likes={"add": ["c", "a"], "remove": ["b"]},
        pets={"$add": [{"name": "y"}]},
        gone=None,
    )
    assert {k: custom(client)[k] for k in ("visits", "likes")} == {"visits": 5, "likes": ["a", "c"]}
    assert custom(client)["pets"] == [{"name": "x", "kind": "cat"}, {"name": "y"}]
    assert "gone" not in custom(client)
    by_name = {"$identifier_key": "name", "$identifier_value": "x"}
    write(client, pets={"$update": [{**by_name, "$new_object": {"kind": "dog"}}]})
    assert custom(client)["pets"][0] == {"name": "x", "kind": "dog"}
    write(client, pets={"$remove": [by_name]}, plan=None)
    assert custom(client)["pets"] == [{"name": "y"}]
    assert "plan" not in custom(client)


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"email": "none"}, "The value provided for the 'email' field is not a valid email."),
        (
            {"email_subscribe": "no"},
            "'email_subscribe' must be one of opted_in, subscribed, unsubscribed",
        ),
        ({"gender": "X"}, "'gender' must be one of M, F, O, N, P"),
        ({"first_name": 3}, "'first_name' is not valid"),
        ({"current_location": {"longitude": 200, "latitude": 0}}, "BAD_LOCATION_UPDATE"),
        ({"subscription_groups": {}}, "BAD_SUBSCRIPTION_GROUP_ARRAY"),
        ({"subscription_groups": [1]}, "BAD_SUBSCRIPTION_GROUP_HASH"),
        ({"subscription_groups": [{}]}, "BAD_SUBSCRIPTION_GROUP_ID"),
        ({"subscription_groups": [{"subscription_group_id": "g"}]}, "BAD_SUBSCRIPTION_GROUP_STATE"),
        ({"external_id": "x" * 988}, "EXTERNAL_USER_ID_TOO_LARGE"),
        ({"external_id": True}, "'external_id' is not valid"),
        (
            {"external_id": None, "user_alias": {}},
            "'user_alias' needs an alias_name and an alias_label",
        ),
    ],
)
def test_a_wrong_attribute_is_listed_and_not_written(
    client: Any, attributes: dict[str, Any], problem: str
) -> None:
    one = {"external_id": "c000001", "tier": "gold", **attributes}
    answer = client.post("/users/track", {"attributes": [one]})
    assert answer.status == 400
    assert answer.json["errors"] == [{"type": problem, "input_array": "attributes", "index": 0}]
    assert "tier" not in custom(client)


def test_events_and_purchases_are_counted_and_those_of_the_future_are_now(client: Any) -> None:
    seen = {"external_id": "c000001", "name": "seen"}
    events = [{**seen, "time": AT}, {**seen, "time": "2027-01-01T00:00:00+00:00"}]
    client.post("/users/track", {"events": events})
    (user,) = exported(client, external_ids=["c000001"], fields_to_export=["custom_events"])
    assert user["custom_events"] == [
        {
            "name": "seen",
            "first": "2025-12-31T08:00:00.000Z",
            "last": "2026-01-01T00:00:00.000Z",
            "count": 2,
        }
    ]


def test_anonymous_users_are_made_by_address_and_found_again(client: Any) -> None:
    track = "/users/track"
    client.post(track, {"attributes": [{"email": "a@b.example", "tier": "x"}]})
    client.post(track, {"attributes": [{"email": "a@b.example", "tier": "y"}]})
    (user,) = exported(client, email_address="a@b.example")
    assert user["custom_attributes"] == {"tier": "y"}
    never = {"user_alias": {**CRM, "alias_name": "z"}, "tier": "z"}
    client.post(track, {"attributes": [never]})
    assert exported(client, user_aliases=[never["user_alias"]]) == []
    client.post(track, {"attributes": [{**never, "_update_existing_only": False}]})
    assert exported(client, user_aliases=[never["user_alias"]])[0]["custom_attributes"] == {
        "tier": "z"
    }
    client.send({"braze_id": user["braze_id"]})
    (message,) = client.get("/_sandbox/messages").json["messages"]
    assert (message["external_user_id"], message["braze_id"]) == ("", user["braze_id"])


def test_of_several_with_one_address_the_order_decides_and_a_tie_gets_nothing(client: Any) -> None:
    client.post("/users/track", {"attributes": [{"external_id": "n1", "email": "a@b.example"}]})
    client.post("/users/track", {"attributes": [{"external_id": "n2", "email": "a@b.example"}]})
    for order in (
        ["identified"],
        ["unidentified"],
        ["most_recently_updated"],
        ["least_recently_updated"],
    ):
        client.send({"email": "a@b.example", "prioritization": order})
    assert client.sent_users() == [[], [], ["n2"], ["n1"]]
    wrong = client.send({"email": "a@b.example", "prioritization": ["newest"]})
    assert wrong.status == 400


def test_old_contracts_take_75_in_each_array(start: Any) -> None:
    one = {"external_id": "c000001", "tier": "gold"}
    event = {"external_id": "c000001", "name": "seen", "time": AT}
    client = start(objects_per_array=True)
    assert client.post("/users/track", {"attributes": [one] * 75, "events": [event]}).status == 201
    assert client.post("/users/track", {"attributes": [one] * 76}).status == 400
    assert client.post("/users/track", {}).status == 400


def test_a_subscription_group_keeps_the_state_that_was_said_last(client: Any) -> None:
    for state in ("subscribed", "unsubscribed"):
        write(
            client,
            subscription_groups=[{"subscription_group_id": "g", "subscription_state": state}],
        )
    track = {"subscription_group_id": "h", "subscription_state": "subscribed"}
    write(
        client, subscription_groups=[track], current_location={"longitude": 13.4, "latitude": 52.5}
    )
    (user,) = exported(client, external_ids=["c000001"], fields_to_export=["last_coordinates"])
    assert user == {"last_coordinates": [13.4, 52.5]}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"name": ""}, "'name' is not valid"),
        ({"time": "soon"}, "'time' is not valid"),
        ({"properties": []}, "'properties' is not valid"),
        ({"properties": {"$a": 1}}, "the property name '$a' is not valid"),
        (
            {"external_id": None, "email": 7},
            "The value provided for the 'email' field is not a valid email.",
        ),
        ({"external_id": None, "braze_id": 7}, "'braze_id' is not valid"),
        ({"_update_existing_only": "no"}, "'_update_existing_only' is not valid"),
    ],
)
def test_a_wrong_event_is_listed(client: Any, given: dict[str, Any], problem: str) -> None:
    event = {"external_id": "c000001", "name": "seen", "time": AT, **given}
    answer = client.post("/users/track", {"events": [event]})
    assert answer.json["errors"] == [{"type": problem, "input_array": "events", "index": 0}]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"product_id": ""}, "'product_id' is not valid"),
        ({"currency": "euro"}, "'currency' is not valid"),
        ({"properties": 1}, "'properties' is not valid"),
        ({"time": 7}, "'time' is not valid"),
    ],
)
def test_a_wrong_purchase_is_listed(client: Any, given: dict[str, Any], problem: str) -> None:
    bought = {
        "external_id": "c000001",
        "product_id": "p",
        "currency": "EUR",
        "price": 1,
        "time": AT,
    }
    answer = client.post("/users/track", {"purchases": [bought | given]})
    assert answer.json["errors"] == [{"type": problem, "input_array": "purchases", "index": 0}]
