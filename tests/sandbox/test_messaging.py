"""``/campaigns/trigger/send``: what is accepted, what is refused, what is silently dropped."""

from __future__ import annotations

from typing import Any

import pytest

from opportune.sandbox import CAMPAIGN_ID
from opportune.sandbox.people import braze_id

SEND = "/campaigns/trigger/send"
ONE = {"external_user_id": "c000001"}


def test_a_call_is_201_with_one_dispatch_id_of_32_hex(client: Any) -> None:
    answers = [client.send(ONE, {"external_user_id": "c000002"}) for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 201]
    assert [sorted(answer.json) for answer in answers] == [["dispatch_id", "message"]] * 2
    assert answers[0].json["message"] == "success"
    dispatch_ids = {answer.json["dispatch_id"] for answer in answers}
    assert len(dispatch_ids) == 2
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in dispatch_ids)


def test_fifty_recipients_pass_and_fifty_one_do_not(client: Any) -> None:
    users = [{"external_user_id": f"c{number:06d}"} for number in range(1, 52)]
    assert client.send(*users[:50]).status == 201
    refused = client.send(*users)
    assert refused.status == 400
    assert refused.json == {
        "message": "The max number of external_ids and aliases per request was exceeded"
    }
    assert client.get("/_sandbox/sends").json["sends"] == 50


REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"campaign_id": 7}, "campaign_id must be a string of the campaign api identifier"),
    ({"campaign_id": None}, "campaign_id must be a string of the campaign api identifier"),
    ({"campaign_id": "other"}, "Invalid Campaign ID: other"),
    ({"recipients": []}, "No Recipients: name recipients, or set broadcast to true"),
    ({"recipients": None}, "No Recipients: name recipients, or set broadcast to true"),
    (
        {"recipients": {}},
        "Invalid parameter: Expected `array | null`, got `object` - at `$.recipients`",
    ),
    ({"broadcast": True}, "broadcast true allows neither recipients nor attachments"),
    (
        {"broadcast": True, "recipients": None, "attachments": []},
        "broadcast true allows neither recipients nor attachments",
    ),
    (
        {"audience": {"AND": []}},
        "audience.AND must be a list of filters",
    ),
    ({"send_id": "ü"}, "send_id must be at most 64 ASCII characters"),
    ({"send_id": "x" * 65}, "send_id must be at most 64 ASCII characters"),
    ({"trigger_properties": [1]}, "trigger_properties must be an object"),
    (
        {"trigger_properties": {"text": "x" * 50_000}},
        "trigger_properties exceeds the maximum size of 50 KB",
    ),
    (
        {"recipients": [ONE, {}]},
        "recipients[1] must have exactly one of external_user_id, user_alias, braze_id or email, "
        "not 0",
    ),
    (
        {"recipients": [{**ONE, "braze_id": "b"}]},
        "recipients[0] must have exactly one of external_user_id, user_alias, braze_id or email, "
        "not 2",
    ),
    (
        {"recipients": [{"email": "c000001@customers.example"}]},
        "recipients[0] with email must have prioritization",
    ),
    (
        {"recipients": [{**ONE, "send_to_existing_only": False}]},
        "recipients[0] with send_to_existing_only false needs attributes",
    ),
    (
        {"recipients": [{"external_user_id": "x" * 988}]},
        "recipients[0].external_user_id must have 1 to 987 bytes",
    ),
    (
        {"recipients": [{**ONE, "trigger_properties": "offer"}]},
        "recipients[0].trigger_properties must be an object",
    ),
    (
        {"recipients": [ONE, {**ONE, "trigger_properties": {"text": "x" * 50_000}}]},
        "recipients[1].trigger_properties exceeds the maximum size of 50 KB",
    ),
]


@pytest.mark.parametrize(("fields", "message"), REFUSALS)
def test_a_wrong_call_is_400_and_nobody_gets_anything(
    client: Any, fields: dict[str, Any], message: str
) -> None:
    body = {"campaign_id": CAMPAIGN_ID, "recipients": [ONE]} | fields
    answer = client.post(SEND, body)
    assert (answer.status, answer.json) == (400, {"message": message})
    assert client.get("/_sandbox/sends").json == {
        "sends": 0,
        "customers": 0,
        "most_per_customer_and_day": 0,
        "by_day": {},
    }


def test_the_same_user_twice_is_one_message_with_the_last_properties(client: Any) -> None:
    recipients = [
        {**ONE, "trigger_properties": {"offer": "tv_bundle"}},
        {"external_user_id": "c000002"},
        {"braze_id": braze_id("c000001"), "trigger_properties": {"offer": "mobile_sim"}},
    ]
    assert client.send(*recipients).status == 201
    (call,) = client.get("/_sandbox/journal").json["calls"]
    assert [m["external_user_id"] for m in call["messages"]] == ["c000001", "c000002"]
    assert call["messages"][0]["trigger_properties"] == {"offer": "mobile_sim"}
    assert client.get("/_sandbox/sends").json["sends"] == 2


def test_recipient_properties_override_those_of_the_call(client: Any) -> None:
    own = {**ONE, "trigger_properties": {"offer": "tv_bundle"}}
    none = {"external_user_id": "c000002", "trigger_properties": ""}
    client.send(own, none, trigger_properties={"offer": "newsletter", "tone": "kind"})
    (call,) = client.get("/_sandbox/journal").json["calls"]
    assert [m["trigger_properties"] for m in call["messages"]] == [
        {"offer": "tv_bundle", "tone": "kind"},
        {"offer": "newsletter", "tone": "kind"},
    ]


def test_unknown_users_are_dropped_without_a_word(client: Any) -> None:
    answer = client.send(
        ONE,
        {"external_user_id": "stranger"},
        {"external_user_id": 12345},
        {"braze_id": "0" * 24},
        {"user_alias": {"alias_name": "a", "alias_label": "b"}},
        {"email": "nobody@example.com", "prioritization": ["identified"]},
    )
    assert answer.status == 201
    assert "errors" not in answer.json
    (call,) = client.get("/_sandbox/journal").json["calls"]
    assert [m["external_user_id"] for m in call["messages"]] == ["c000001"]
    assert call["dropped"] == ["stranger", "12345", "0" * 24, "(by alias)", "(by email)"]


def test_a_user_is_found_by_email(client: Any) -> None:
    client.send({"email": "c000003@customers.example", "prioritization": ["identified"]})
    assert client.sent_users() == [["c000003"]]


def test_an_unknown_user_is_created_when_the_call_says_so(client: Any) -> None:
    new = {
        "external_user_id": "new-1",
        "send_to_existing_only": False,
        "attributes": {"tier": "gold"},
    }
    assert client.send(new).status == 201
    assert client.sent_users() == [["new-1"]]
    exported = client.post("/users/export/ids", {"external_ids": ["new-1"]}).json["users"]
    assert exported[0]["custom_attributes"] == {"tier": "gold"}
    assert len(exported[0]["campaigns_received"]) == 1


def test_a_broadcast_reaches_everybody(start: Any) -> None:
    client = start(customers=30)
    answer = client.post(
        SEND,
        {
            "campaign_id": CAMPAIGN_ID,
            "broadcast": True,
            "trigger_properties": {"offer": "newsletter"},
            "send_id": "spring",
        },
    )
    assert answer.status == 201
    assert answer.json["send_id"] == "spring"
    assert client.get("/_sandbox/sends").json["customers"] == 30
