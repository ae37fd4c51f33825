"""``/users/export/ids`` and ``/users/track``."""

from __future__ import annotations

from typing import Any

import pytest

from opportune.sandbox import CAMPAIGN_ID
from opportune.sandbox.people import braze_id

EXPORT = "/users/export/ids"
TRACK = "/users/track"
AT = "2026-01-01T08:00:00Z"


def test_who_got_a_message_is_found_by_last_received_and_who_did_not_has_none(client: Any) -> None:
    client.post("/_sandbox/clock", {"now": "2026-01-03T06:30:00.250Z"})
    client.send({"external_user_id": "c000001"})
    answer = client.post(
        EXPORT,
        {
            "external_ids": ["c000001", "c000002", "gone"],
            "fields_to_export": ["external_id", "campaigns_received"],
        },
    )
    assert answer.status == 201
    assert answer.json == {
        "message": "success",
        "users": [
            {
                "external_id": "c000001",
                "campaigns_received": [
                    {
                        "name": "Offer of the day",
                        "api_campaign_id": CAMPAIGN_ID,
                        "last_received": "2026-01-03T06:30:00.250Z",
                        "engaged": {},
                        "converted": False,
                        "variation_name": "email",
                        "variation_api_id": "email-offer-of-the-day",
                    }
                ],
            },
            {"external_id": "c000002"},
        ],
        "invalid_user_ids": ["gone"],
    }


def test_what_was_received_more_than_90_days_ago_is_not_listed(client: Any) -> None:
    client.send({"external_user_id": "c000001"})
    client.post("/_sandbox/clock", {"now": "2026-04-01T00:00:00Z"})
    assert len(client.received("c000001")) == 1
    client.post("/_sandbox/clock", {"now": "2026-04-01T00:00:01Z"})
    assert client.received("c000001") == []


def test_an_export_without_fields_gives_the_whole_profile(client: Any) -> None:
    (user,) = client.post(EXPORT, {"braze_id": braze_id("c000004")}).json["users"]
    assert user["external_id"] == "c000004"
    assert user["email"] == "c000004@customers.example"
    assert user["custom_attributes"]["plan"] in ("basic", "plus", "premium")
    assert "email" not in user["custom_attributes"]
    assert "campaigns_received" not in user


@pytest.mark.parametrize(
    ("body", "found", "missing"),
    [
        ({"external_ids": ["c000001", "c000001", 5]}, ["c000001"], ["5"]),
        ({"user_aliases": [{"alias_name": "a", "alias_label": "b"}]}, [], None),
        ({"email_address": "c000002@customers.example"}, ["c000002"], None),
        ({"email_address": "nobody@example.com"}, [], None),
        ({"braze_id": "f" * 24}, [], ["f" * 24]),
        ({"phone": "+4912345"}, [], None),
        ({"device_id": "d"}, [], None),
    ],
)
def test_users_are_found_by_any_identifier(
    client: Any, body: dict[str, Any], found: list[str], missing: list[str] | None
) -> None:
    answer = client.post(EXPORT, body)
    assert answer.status == 201
    assert [user["external_id"] for user in answer.json["users"]] == found
    assert answer.json.get("invalid_user_ids") == missing


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"external_ids": ["c"] * 51}, "The max number of ids per request was exceeded"),
        (
            {"external_ids": ["c"], "fields_to_export": ["shoe_size"]},
            "fields_to_export has unknown fields: shoe_size",
        ),
        (
            {"fields_to_export": ["email"]},
            "external_ids, user_aliases, device_id, braze_id, email_address or phone is required",
        ),
        (
            {"external_ids": "c000001"},
            "Invalid parameter: Expected `array | null`, got `str` - at `$.external_ids`",
        ),
    ],
)
def test_a_wrong_export_is_400(client: Any, body: dict[str, Any], message: str) -> None:
    answer = client.post(EXPORT, body)
    assert (answer.status, answer.json) == (400, {"message": message})


def test_track_counts_good_objects_and_lists_the_others(client: Any) -> None:
    answer = client.post(
        TRACK,
        {
            "attributes": [
                {"external_id": "c000001", "tier": "gold", "first_name": "Ada"},
                {"tier": "lost"},
                {"external_id": "c000001", "braze_id": "b"},
                7,
            ],
            "events": [
                {"external_id": "c000001", "name": "plan_viewed", "time": AT},
                {"external_id": "c000001", "time": AT},
            ],
            "purchases": [
                {
                    "email": "a@b.example",
                    "product_id": "p",
                    "currency": "EUR",
                    "price": 1,
                    "time": AT,
                },
                {
                    "external_id": "c",
                    "product_id": "p",
                    "currency": "EUR",
                    "price": "1",
                    "time": AT,
                },
                {"external_id": "c", "quantity": 0},
            ],
        },
    )
    assert answer.status == 201
    assert answer.json == {
        "message": "success",
        "attributes_processed": 1,
        "events_processed": 1,
        "purchases_processed": 1,
        "errors": [
            {
                "type": "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required",
                "input_array": "attributes",
                "index": 1,
            },
            {
                "type": "only one of 'external_id', 'braze_id' or 'user_alias' is allowed",
                "input_array": "attributes",
                "index": 2,
            },
            {"type": "the object is not valid", "input_array": "attributes", "index": 3},
            {"type": "'name' is not valid", "input_array": "events", "index": 1},
            {"type": "'price' is not valid", "input_array": "purchases", "index": 1},
            {"type": "'quantity' is not valid", "input_array": "purchases", "index": 2},
        ],
    }
    fields = ["first_name", "custom_attributes"]
    body = {"external_ids": ["c000001"], "fields_to_export": fields}
    (user,) = client.post(EXPORT, body).json["users"]
    assert user["first_name"] == "Ada"
    assert user["custom_attributes"]["tier"] == "gold"


def test_track_without_one_good_object_is_400(client: Any) -> None:
    answer = client.post(TRACK, {"events": [{"external_id": "c000001"}]})
    assert answer.status == 400
    assert answer.json == {
        "message": "Valid data must be provided in the 'attributes', 'events', or 'purchases' "
        "fields.",
        "errors": [{"type": "'name' is not valid", "input_array": "events", "index": 0}],
    }


def test_track_takes_75_objects_in_total_and_empty_arrays(client: Any) -> None:
    one = {"external_id": "c000001", "tier": "gold"}
    assert client.post(TRACK, {"attributes": [one] * 75, "events": []}).status == 201
    event = {"external_id": "c000001", "name": "seen", "time": AT}
    refused = client.post(TRACK, {"attributes": [one] * 75, "events": [event]})
    assert refused.status == 400
    assert refused.json["message"].startswith("Max Input Length Exceeded")
    assert client.post(TRACK, {"attributes": [], "events": [], "purchases": []}).status == 201


def test_track_creates_unknown_users_unless_told_not_to(client: Any) -> None:
    only = {"external_id": "new-2", "tier": "x", "_update_existing_only": True}
    client.post(TRACK, {"attributes": [{"external_id": 77, "tier": "gold"}, only]})
    answer = client.post(EXPORT, {"external_ids": ["77", "new-2"]})
    assert [user["external_id"] for user in answer.json["users"]] == ["77"]
    assert answer.json["invalid_user_ids"] == ["new-2"]
    assert client.send({"external_user_id": 77}).status == 201
    assert client.sent_users() == [["77"]]
