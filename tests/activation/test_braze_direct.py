"""Messages of ours: who gets which content, what is checked before, and how answers are read."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from opportune.activation import Answer, Send
from opportune.activation.braze import check_direct, show_direct
from opportune.activation.connectors.braze import CONNECTOR, check_config
from opportune.sandbox.catalogue import API_CAMPAIGN_ID

TEXT = """
recipient_subscription_state = "opted_in"
override_frequency_capping = true

[email]
app_id = "shop"
from = "Shop <hello@shop.example>"
subject = "{{${first_name}}}, take {{api_trigger_properties.${offer} | upcase}}"
body = '''
<a href="https://shop.example/{{api_trigger_properties.${offer}}}">
{{ api_trigger_properties.${price} | default: 0 }}</a>'''
message_variation_id = "email-from-outside"
headers = { "X-Offer" = "{{api_trigger_properties.${offer}}}" }

[web_push]
alert = "{% if api_trigger_properties.${offer} == 'tv' %}TV{% endif %}"
message_variation_id = "push"
"""
CONFIG = {
    "base_url": "https://b.example",
    "campaign_id": API_CAMPAIGN_ID,
    "messages": TEXT,
}


def send(user: str, offer: str, key: str = "", **more: str | float) -> Send:
    key = key or user
    return Send(key=key, decision_id=key, user_id=user, properties={"offer": offer, **more})


def answered(status: int, **body: object) -> Answer:
    return Answer(status=status, headers={}, body=json.dumps(body).encode(), processed=True)


def test_everybody_of_a_call_gets_what_was_chosen_for_all_of_them() -> None:
    assert check_config(CONFIG) == []
    sends = [send("u1", "tv"), send("u2", "film", price=4.5), send("u3", "tv")]
    first, second = CONNECTOR.requests(sends, CONFIG)
    assert (first.path, first.keys, second.keys) == ("/messages/send", ("u1", "u3"), ("u2",))
    said = json.loads(first.body)
    email = said["messages"].pop("email")
    assert said == {
        "campaign_id": API_CAMPAIGN_ID,
        "recipient_subscription_state": "opted_in",
        "override_frequency_capping": True,
        "messages": {
            "web_push": {
                "alert": "{% if 'tv' == 'tv' %}TV{% endif %}",
                "message_variation_id": "push",
            }
        },
        "external_user_ids": ["u1", "u3"],
    }
    # What Braze knows of a customer is left to Braze.
    assert email["subject"] == "{{${first_name}}}, take {{'tv' | upcase}}"
    assert email["headers"] == {"X-Offer": "{{'tv'}}"}
    assert "{{ nil | default: 0 }}" in email["body"]
    assert "{{ 4.5 | default: 0 }}" in json.loads(second.body)["messages"]["email"]["body"]


def test_a_call_has_fifty_users_and_each_of_them_once() -> None:
    sends = [send(f"u{n}", "tv") for n in range(51)] + [send("u0", "tv", key="again")]
    found = CONNECTOR.requests(sends, CONFIG)
    assert [len(each.keys) for each in found] == [50, 1, 1]
    assert [key for each in found for key in each.keys] == [each.key for each in sends]


def test_a_day_s_own_id_goes_along_where_a_campaign_counts_by_it() -> None:
    def said(**config: str) -> object:
        given = {"base_url": "https://b.example", "send_id": "opportune-next-20260301", **config}
        (request,) = CONNECTOR.requests([send("u1", "tv")], given)
        return json.loads(request.body).get("send_id")

    made = "opportune-next-20260301"
    assert said(campaign_id=API_CAMPAIGN_ID) == made
    assert said(campaign_id=API_CAMPAIGN_ID, messages=TEXT) == made
    assert said(messages=TEXT) is said(canvas_id=API_CAMPAIGN_ID) is None


def test_the_dimension_channel_chooses_one_of_the_messages() -> None:
    (request,) = CONNECTOR.requests([send("u1", "tv", channel="web_push")], CONFIG)
    assert list(json.loads(request.body)["messages"]) == ["web_push"]


def test_without_a_campaign_nothing_names_one_and_no_receipt_settles_anything() -> None:
    config = {**CONFIG, "campaign_id": ""}
    (request,) = CONNECTOR.requests([send("u1", "tv")], config)
    assert "campaign_id" not in json.loads(request.body)
    (enquiry,) = CONNECTOR.enquiries([send("u1", "tv")], config)
    since = datetime(2026, 3, 1, tzinfo=UTC)
    known = answered(201, users=[{"external_id": "u1", "campaigns_received": []}])
    (found,) = CONNECTOR.findings(enquiry, known, since=since, config=config)
    assert found.outcome == "unknown"
    (gone,) = CONNECTOR.findings(enquiry, answered(201, users=[]), since=since, config=config)
    assert gone.outcome == "failed"
    # With one, a receipt tells, as of a triggered campaign.
    (kept,) = CONNECTOR.findings(enquiry, known, since=since, config=CONFIG)
    assert kept.outcome == "retry"


def test_a_recipient_that_is_refused_fails_alone() -> None:
    (request,) = CONNECTOR.requests([send("u1", "tv"), send("u2", "tv")], CONFIG)
    errors = [{"type": "no such user", "input_array": "external_user_ids", "index": 1}]
    answer = answered(201, message="success", dispatch_id="d", errors=errors)
    found = CONNECTOR.deliveries(request, answer)
    assert [(each.outcome, each.dispatch_id) for each in found] == [("sent", "d"), ("failed", None)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[email", "not valid TOML"),
        ("", "there is no message"),
        ("[letter]\nbody = 'x'", "letter: Braze has no such message."),
        ("[email]\nfrom = 'a'\nbody = 'x'", "email.app_id: missing"),
        ("[email]\napp_id = 'a'\nfrom = 'a'", "email.body: missing; or give email_template_id."),
        ("[web_push]\nalert = 'x'", "web_push.message_variation_id: missing."),
        ("recipient_subscription_state = 'new'", "'new' given, must be one of opted_in"),
        ("override_frequency_capping = 1", "1 given, must be true or false."),
        ("priority = 1", "priority: unknown key."),
    ],
)
def test_what_is_wrong_with_messages_is_said(text: str, problem: str) -> None:
    found = check_config({**CONFIG, "messages": text or " "})
    assert any(each.startswith("messages: ") and problem in each for each in found), found


def test_messages_do_not_go_through_a_canvas() -> None:
    config = {**CONFIG, "canvas_id": API_CAMPAIGN_ID}
    assert "canvas_id and messages are both given: take one of them." in check_config(config)
    nothing = {"base_url": "https://b.example"}
    assert check_config(nothing) == [
        "campaign_id is missing: Braze needs it, or canvas_id, or messages of yours."
    ]


def checked(text: str, *values: str, **dimensions: list[str]) -> list[str]:
    config = {"base_url": "https://b.example", "messages": f"[web_push]\n{text}"}
    return check_direct(config, dimensions, ["price", "hour"], values)


OFFER = "{{api_trigger_properties.${offer}}}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("alert = 'x'", "no text shows the dimension 'offer'."),
        (f"alert = '{OFFER} {OFFER.replace('offer', 'offers')}'", "a text shows 'offers', which"),
        (
            f"alert = '{OFFER} {OFFER.replace('offer', 'decision_id')}'",
            "a text shows 'decision_id'",
        ),
        (f"alert = '{OFFER} {{% if %}}'", "this is no Liquid"),
        (f"alert = '{OFFER}.${{a}}'", None),
        (f"alert = '{OFFER} {{% abort_message('no') %}}{{{{${{first_name}}}}}}'", None),
        (f"alert = '{OFFER} {OFFER.replace('offer', 'price')}'", None),
    ],
)
def test_messages_show_what_is_chosen(text: str, problem: str | None) -> None:
    found = checked(text.replace("'no'", '"no"'), offer=["tv", "film"])
    assert [each for each in found if problem and problem in each] or found == []
    assert bool(found) == bool(problem)


def test_options_fit_messages() -> None:
    text = f'alert = "{OFFER}"'
    assert checked(text, "Joe's", offer=["tv"], channel=["web_push"]) == []
    (missing,) = checked(text, offer=["tv"], channel=["web_push", "sms"])
    assert "there is no message [sms]" in missing
    for value in ("a}b", 'Joe\'s "tv"'):
        (unfit,) = checked(text, value, offer=["tv"])
        assert "cannot stand in Liquid" in unfit
    # A use case without messages, or with wrong ones, is judged elsewhere.
    assert check_direct({}, {"offer": ["tv"]}, [], []) == []
    assert check_direct({"messages": "[x]"}, {"offer": ["tv"]}, [], []) == []


def test_a_combination_is_shown_as_it_goes_out() -> None:
    email, push = show_direct(CONFIG, {"offer": "tv", "price": 5})
    assert (email.content.channel, email.content.subject) == ("email", ", take TV")
    assert email.content.body == '<a href="https://shop.example/tv">\n5</a>'
    assert (push.content.alert, push.problem) == ("TV", "")
