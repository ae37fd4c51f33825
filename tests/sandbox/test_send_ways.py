"""Other ways to send: canvases, content in the request, audiences; and who is dropped."""

from __future__ import annotations

from typing import Any

import pytest

from opportune.sandbox import API_CAMPAIGN_ID, CAMPAIGN_ID, CANVAS_ID, SEGMENT_ID

ONE = {"external_user_id": "c000001"}
EMAIL = {
    "app_id": "a",
    "from": "Shop <hello@shop.example>",
    "subject": "Hi {{${first_name}}}",
    "body": "b",
}
TIER = {
    "custom_attribute": {"custom_attribute_name": "tier", "comparison": "equals", "value": "gold"}
}


def messages(client: Any, **query: str) -> list[dict[str, Any]]:
    """What was sent, the oldest first."""
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    found: list[dict[str, Any]] = client.get(f"/_sandbox/messages?{asked}").json["messages"]
    return found[::-1]


def track(client: Any, **attributes: Any) -> None:
    one = {"external_id": "c000001", **attributes}
    assert client.post("/users/track", {"attributes": [one]}).status == 201


def dropped(client: Any) -> dict[str, str]:
    call = client.get("/_sandbox/journal?limit=1").json["calls"][0]
    return dict(zip(call["dropped"], call.get("reasons", []), strict=True))


def campaign(client: Any, **fields: Any) -> str:
    """Set a campaign up; its id."""
    made = {
        "name": "Mine",
        "variations": [{"id": "v", "channel": "email", "content": {"body": "b"}}],
    }
    answer = client.post("/_sandbox/campaigns", made | fields)
    assert answer.status == 200, answer.text
    named: str = answer.json["id"]
    return named


def test_a_canvas_takes_context_and_its_former_name(client: Any) -> None:
    recipients = [
        {**ONE, "context": {"offer": "tv_bundle", "channel": "sms"}},
        {"external_user_id": "c000002", "canvas_entry_properties": {"offer": "mobile_sim"}},
    ]
    body = {"canvas_id": CANVAS_ID, "recipients": recipients, "context": {"hour": "09"}}
    answer = client.post("/canvas/trigger/send", body)
    assert (answer.status, sorted(answer.json)) == (201, ["dispatch_id", "message"])
    first, second = messages(client, canvas_id=CANVAS_ID)
    assert first["content"]["body"] == "tv_bundle sms 09 https://shop.example/tv_bundle?d="
    assert (second["channel"], second["content"]["subject"]) == ("email", "mobile_sim")
    (user,) = client.post("/users/export/ids", {"external_ids": ["c000001"]}).json["users"]
    (entry,) = user["canvases_received"]
    assert entry["last_entered"] == entry["last_received_message"] == "2026-01-01T00:00:00.000Z"
    assert [step["name"] for step in entry["steps_received"]] == ["Offer"]


@pytest.mark.parametrize(
    ("change", "notice"),
    [
        ({"enabled": False}, "The Canvas is paused."),
        ({"archived": True}, "The Canvas is archived."),
    ],
)
def test_a_canvas_that_stopped_says_so_and_sends_nothing(
    client: Any, change: dict[str, bool], notice: str
) -> None:
    (canvas,) = client.get("/_sandbox/canvases").json["canvases"]
    assert client.post("/_sandbox/canvases", canvas | change).status == 200
    answer = client.post("/canvas/trigger/send", {"canvas_id": CANVAS_ID, "recipients": [ONE]})
    assert answer.status == 201
    assert answer.json["notice"].startswith(notice)
    assert messages(client) == []


def test_later_steps_of_a_canvas_follow_in_time(client: Any) -> None:
    steps = [
        {
            "id": "s1",
            "name": "One",
            "variations": [{"id": "a", "channel": "email"}],
            "next_step_ids": ["s2"],
        },
        {"id": "s2", "name": "Two", "variations": [{"id": "b", "channel": "sms"}], "delay_s": 3600},
    ]
    variants = [{"id": "w", "name": "Way", "first_step_ids": ["s1"]}]
    body = {"name": "Two steps", "variants": variants, "steps": steps}
    canvas_id = client.post("/_sandbox/canvases", body).json["id"]
    client.post("/canvas/trigger/send", {"canvas_id": canvas_id, "recipients": [ONE]})
    assert [one["step_id"] for one in messages(client)] == ["s1"]
    client.post("/_sandbox/clock", {"advance_s": 7200})
    assert [(one["step_id"], one["at"][11:16]) for one in messages(client)] == [
        ("s1", "00:00"),
        ("s2", "01:00"),
    ]
    details = client.get(f"/canvas/details?canvas_id={canvas_id}").json
    assert details["steps"][0]["next_paths"] == [{"name": "Two", "next_step_id": "s2"}]
    assert details["channels"] == ["email", "sms"]


def test_messages_carry_their_content_and_are_rendered_for_each_user(client: Any) -> None:
    track(client, first_name="Ada")
    body = {"external_user_ids": ["c000001", "c000002", "gone"], "messages": {"email": EMAIL}}
    answer = client.post("/messages/send", body)
    assert (answer.status, sorted(answer.json)) == (201, ["dispatch_id", "message"])
    track(client, first_name="Eve")  # what was sent stays what it was
    assert [one["content"]["subject"] for one in messages(client)] == ["Hi Ada", "Hi "]
    assert dropped(client) == {"gone": "unknown user"}


def test_a_message_goes_out_on_every_channel_of_the_request(client: Any) -> None:
    kinds = {
        "email": EMAIL | {"message_variation_id": "email-from-outside"},
        "sms": {
            "app_id": "a",
            "subscription_group_id": "g",
            "body": "x",
            "message_variation_id": "sms-from-outside",
        },
        "webhook": {
            "url": "http://x.example",
            "request_method": "POST",
            "message_variation_id": "webhook-from-outside",
        },
        "android_push": {"alert": "x", "message_variation_id": "android_push-from-outside"},
    }
    body = {"external_user_ids": ["c000001"], "campaign_id": API_CAMPAIGN_ID, "messages": kinds}
    assert client.post("/messages/send", body).status == 201
    assert [one["channel"] for one in messages(client)] == [
        "email",
        "sms",
        "webhook",
        "android_push",
    ]
    series = client.get(f"/campaigns/data_series?campaign_id={API_CAMPAIGN_ID}&length=1").json
    (day,) = series["data"]
    assert day["unique_recipients"] == 1
    assert {channel: rows[0]["sent"] for channel, rows in day["messages"].items()} == dict.fromkeys(
        kinds, 1
    )


MESSAGE_REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"messages": {}}, "No message to send"),
    ({"messages": {"fax": {}}}, "Mismatched Message Type"),
    ({"messages": {"email": {"app_id": "a"}}}, "messages.email.from is required"),
    ({"messages": {"email": {"app_id": "a", "from": "b"}}}, "needs a body or an email_template_id"),
    ({"messages": {"email": {**EMAIL, "email_template_id": "x"}}}, "is not the id of a template"),
    ({"messages": {"email": {**EMAIL, "attachments": [{}]}}}, "attachments must be a list"),
    ({"messages": {"email": {**EMAIL, "subject": 7}}}, "subject must be a string"),
    ({"messages": {"email": {**EMAIL, "body": "{{ x | }}"}}}, "not valid Liquid"),
    ({"messages": {"android_push": {"alert": 7}}}, "alert must be a string or an object"),
    (
        {"messages": {"webhook": {"url": "u", "request_method": "PAT"}}},
        "request_method must be one of",
    ),
    ({"campaign_id": API_CAMPAIGN_ID}, "Message Variant Unspecified"),
    (
        {
            "campaign_id": API_CAMPAIGN_ID,
            "messages": {"email": {**EMAIL, "message_variation_id": "x"}},
        },
        "Invalid Message Variant",
    ),
    (
        {
            "campaign_id": API_CAMPAIGN_ID,
            "messages": {"email": {**EMAIL, "message_variation_id": "sms-from-outside"}},
        },
        "Mismatched Message Type",
    ),
    ({"external_user_ids": ["c"] * 51}, "The max number of external_ids and aliases"),
    ({"external_user_ids": None}, "No Recipients"),
    ({"external_user_ids": None, "segment_id": SEGMENT_ID}, "broadcast must be true"),
    ({"broadcast": True}, "broadcast must be true"),
    ({"segment_id": "x"}, "segment_id must be a string"),
    ({"recipient_subscription_state": "maybe"}, "recipient_subscription_state must be one of"),
]


@pytest.mark.parametrize(("fields", "message"), MESSAGE_REFUSALS)
def test_wrong_messages_are_400_and_nobody_gets_anything(
    client: Any, fields: dict[str, Any], message: str
) -> None:
    body = {"external_user_ids": ["c000001"], "messages": {"email": EMAIL}} | fields
    answer = client.post("/messages/send", body)
    assert answer.status == 400
    assert message in answer.json["message"]
    assert messages(client) == []


def test_an_audience_reaches_whom_it_describes(start: Any) -> None:
    client = start(customers=30)
    track(client, tier="gold")
    paid = {"custom_attribute": {"custom_attribute_name": "plan", "comparison": "exists"}}
    body = {"campaign_id": CAMPAIGN_ID, "audience": {"AND": [TIER, {"OR": [paid, TIER]}]}}
    answer = client.post("/campaigns/trigger/send", body)
    assert (answer.status, bool(answer.json["send_id"])) == (201, True)
    assert client.sent_users() == [["c000001"]]
    named = {
        "campaign_id": CAMPAIGN_ID,
        "recipients": [ONE, {"external_user_id": "c000002"}],
        "audience": TIER,
    }
    client.post("/campaigns/trigger/send", named)
    assert client.sent_users()[1] == ["c000001"]
    body = {"broadcast": True, "segment_id": SEGMENT_ID, "messages": {"email": EMAIL}}
    assert client.post("/messages/send", body).status == 201
    assert len(client.sent_users()[2]) == 30


def test_who_is_outside_the_target_segment_or_not_eligible_again_gets_nothing(client: Any) -> None:
    segment = client.post("/_sandbox/segments", {"name": "Gold", "filter": TIER}).json
    mine = campaign(client, segment_id=segment["id"], re_eligible_after_s=3600)
    track(client, tier="gold")
    both = [ONE, {"external_user_id": "c000002"}]
    client.send(*both, campaign_id=mine)
    assert dropped(client) == {"c000002": "not in the target segment"}
    client.send(*both, campaign_id=mine)
    assert dropped(client)["c000001"] == "not eligible again"
    client.post("/_sandbox/clock", {"advance_s": 3600})
    client.send(ONE, campaign_id=mine)
    assert dropped(client) == {}
    once = campaign(client, re_eligible_after_s=None)
    client.send(ONE, campaign_id=once)
    client.post("/_sandbox/clock", {"now": "2027-01-01T00:00:00Z"})
    client.send(ONE, campaign_id=once)
    assert dropped(client) == {"c000001": "not eligible again"}


def test_a_frequency_cap_ends_the_messages_of_a_day(start: Any) -> None:
    client = start(messages_per_day=1)
    client.send(ONE)
    client.send(ONE)
    assert dropped(client) == {"c000001": "frequency cap"}
    body = {
        "external_user_ids": ["c000001"],
        "messages": {"email": EMAIL},
        "override_frequency_capping": True,
    }
    client.post("/messages/send", body)
    client.post("/_sandbox/clock", {"now": "2026-01-02T00:00:00Z"})
    client.send(ONE)
    assert client.sent_users() == [["c000001"], [], ["c000001"], ["c000001"]]


def test_a_control_group_and_an_aborting_template_get_nothing(client: Any) -> None:
    control = {"id": "c", "channel": "email", "control": True}
    stop = {"id": "s", "channel": "email", "content": {"body": "{% abort_message('not you') %}"}}
    for variation, reason in ((control, "control group"), (stop, "aborted: not you")):
        client.send(ONE, campaign_id=campaign(client, variations=[variation]))
        assert dropped(client) == {"c000001": reason}
    details = client.get(
        f"/campaigns/details?campaign_id={campaign(client, variations=[control])}"
    ).json
    assert details["messages"] == {"c": {"channel": "email", "type": "control"}}


def test_variations_share_the_users_and_each_keeps_theirs(start: Any) -> None:
    client = start(customers=100)
    halves = [{"id": name, "channel": "email", "content": {"body": name}} for name in ("a", "b")]
    mine = campaign(client, variations=halves)
    for _ in range(2):
        client.post("/campaigns/trigger/send", {"campaign_id": mine, "broadcast": True})
    got: dict[str, set[str]] = {}
    for one in messages(client, limit="1000"):
        got.setdefault(one["variation_id"], set()).add(one["external_user_id"])
    assert 30 < len(got["a"]) < 70
    assert not got["a"] & got["b"]


def test_a_paused_campaign_accepts_and_sends_nothing(client: Any) -> None:
    assert client.send(ONE, campaign_id=campaign(client, enabled=False)).status == 201
    assert messages(client) == []
    refused = client.send(ONE, campaign_id=API_CAMPAIGN_ID)
    assert "is no API-triggered campaign" in refused.json["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("campaigns", {"name": "x"}),
        (
            "campaigns",
            {"name": "x", "segment_id": "no", "variations": [{"id": "v", "channel": "email"}]},
        ),
        ("campaigns", {"name": "x", "variations": [{"id": "v", "channel": "email"}] * 2}),
        (
            "campaigns",
            {
                "name": "x",
                "variations": [{"id": "v", "channel": "e", "content": {"b": "{{ x | }}"}}],
            },
        ),
        ("canvases", {"name": "x", "variants": [], "steps": []}),
        (
            "canvases",
            {
                "name": "x",
                "variants": [{"id": "v", "name": "v", "first_step_ids": ["s"]}],
                "steps": [],
            },
        ),
        (
            "canvases",
            {
                "name": "x",
                "variants": [{"id": "v", "name": "v"}],
                "steps": [{"id": "s", "name": "s"}],
            },
        ),
        ("segments", {"name": "x", "filter": {}}),
    ],
)
def test_what_cannot_be_set_up_is_refused(client: Any, path: str, body: Any) -> None:
    before = client.get(f"/_sandbox/{path}").json
    assert client.post(f"/_sandbox/{path}", body).json["code"] in ("refused", "bad_template")
    assert client.get(f"/_sandbox/{path}").json == before
