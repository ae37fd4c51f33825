from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.activation import Request, Send
from opportune.activation.connectors.braze import (
    BATCH_SIZE,
    CONNECTOR,
    MAX_BODY_BYTES,
    check_config,
)

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "braze"
CONFIG = {"campaign_id": "8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10", "base_url": "https://b.example"}
Sends = Callable[..., list[Send]]


def compare_with_golden(name: str, requests: list[Request]) -> None:
    """The file holds the bodies as JSON to be read; the bytes are its compact form."""
    path = GOLDEN / f"{name}.json"
    shown = [
        {
            "method": request.method,
            "path": request.path,
            "keys": list(request.keys),
            "body": json.loads(request.body),
        }
        for request in requests
    ]
    if os.environ.get("GOLDEN") == "rewrite":
        path.write_text(json.dumps(shown, indent=2, ensure_ascii=False) + "\n")
    golden = json.loads(path.read_text())
    assert shown == golden
    compact = [
        json.dumps(each["body"], ensure_ascii=False, separators=(",", ":")).encode()
        for each in golden
    ]
    assert [request.body for request in requests] == compact


def test_each_recipient_carries_one_property_per_dimension_and_its_decision(
    make_sends: Sends, config: dict[str, str]
) -> None:
    sends = make_sends("c000001", "Zoë", 'a "quoted" id', offer="süß & günstig")
    compare_with_golden("campaigns_trigger_send", CONNECTOR.requests(sends, config))


def test_a_users_second_send_goes_into_a_second_call(
    make_sends: Sends, config: dict[str, str]
) -> None:
    requests = CONNECTOR.requests(make_sends("u1", "u2", "u1", "u3", "u1"), config)
    compare_with_golden("campaigns_trigger_send_same_user", requests)
    assert [request.keys for request in requests] == [("k0", "k1", "k3"), ("k2",), ("k4",)]


def test_an_enquiry_asks_only_for_ids_and_campaigns_received(
    make_sends: Sends, config: dict[str, str]
) -> None:
    requests = CONNECTOR.enquiries(make_sends("u1", "u2", "u1"), config)
    compare_with_golden("users_export_ids", requests)
    assert [request.keys for request in requests] == [("k0", "k1"), ("k2",)]


def test_a_call_takes_fifty_users_and_the_next_the_rest(
    make_sends: Sends, config: dict[str, str]
) -> None:
    sends = make_sends(*(f"u{index}" for index in range(120)))
    assert [len(call.keys) for call in CONNECTOR.requests(sends, config)] == [50, 50, 20]
    assert [len(call.keys) for call in CONNECTOR.enquiries(sends, config)] == [50, 50, 20]


def test_no_sends_make_no_calls(config: dict[str, str]) -> None:
    assert CONNECTOR.requests([], config) == []
    assert CONNECTOR.enquiries([], config) == []


def test_a_call_stays_under_four_megabytes(make_sends: Sends, config: dict[str, str]) -> None:
    sends = make_sends(*(f"u{index}" for index in range(10)), offer="x" * 990_000)
    requests = CONNECTOR.requests(sends, config)
    assert [len(request.keys) for request in requests] == [4, 4, 2]
    assert max(len(request.body) for request in requests) <= 4_000_000


def test_a_call_may_fill_the_limit_to_the_last_byte(
    make_sends: Sends, config: dict[str, str]
) -> None:
    empty = len(CONNECTOR.requests(make_sends("u0", "u10", offer=""), config)[0].body)
    half, odd = divmod(MAX_BODY_BYTES - empty, 2)
    assert odd == 0
    full = CONNECTOR.requests(make_sends("u0", "u10", offer="x" * half), config)
    assert [len(request.body) for request in full] == [MAX_BODY_BYTES]
    over = make_sends("u0", "u10", offer="x" * (half + 1))
    assert [len(request.keys) for request in CONNECTOR.requests(over, config)] == [1, 1]


def test_a_send_too_large_for_any_call_gets_one_of_its_own(
    make_sends: Sends, config: dict[str, str]
) -> None:
    sends = [*make_sends("u0"), *make_sends("big", offer="x" * 5_000_000)]
    requests = CONNECTOR.requests(sends, config)
    assert [len(request.keys) for request in requests] == [1, 1]
    assert len(requests[1].body) > MAX_BODY_BYTES


def test_a_dimension_cannot_take_the_place_of_the_decision_id(config: dict[str, str]) -> None:
    send = Send(key="k", decision_id="true-one", user_id="u", properties={"decision_id": "false"})
    body = json.loads(CONNECTOR.requests([send], config)[0].body)
    assert body["recipients"][0]["trigger_properties"] == {"decision_id": "true-one"}


@given(st.lists(st.text(min_size=1, max_size=3), max_size=130))
def test_every_key_is_in_one_call_and_no_call_names_a_user_twice(user_ids: list[str]) -> None:
    sends = [
        Send(key=f"k{index}", decision_id="d", user_id=user_id, properties={})
        for index, user_id in enumerate(user_ids)
    ]
    requests = CONNECTOR.requests(sends, CONFIG)
    keys = [key for request in requests for key in request.keys]
    assert sorted(keys) == sorted(send.key for send in sends)
    users_by_key = {send.key: send.user_id for send in sends}
    for request in requests:
        recipients = json.loads(request.body)["recipients"]
        users = [recipient["external_user_id"] for recipient in recipients]
        assert users == [users_by_key[key] for key in request.keys]
        assert 1 <= len(set(users)) == len(users) <= BATCH_SIZE


GOOD = {"campaign_id": "8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10", "base_url": "https://b.example"}
NOT_A_CAMPAIGN = (
    "campaign_id is 'spring', but must be the campaign's API identifier, such as"
    " '8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10'."
)
NO_CAMPAIGN = "campaign_id is missing: Braze needs it, or canvas_id, or messages of yours."
NOT_A_HOST = (
    "base_url must be the REST host of your Braze instance, such as"
    " 'https://rest.fra-01.braze.eu': http or https, with no user, query or fragment."
)


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        ({}, []),
        ({"base_url": "https://b.example/"}, []),
        ({"base_url": "http://127.0.0.1:8421"}, []),
        ({"campaign_id": GOOD["campaign_id"].upper()}, []),
        ({"campaign_id": "spring"}, [NOT_A_CAMPAIGN]),
        ({"campaign_id": ""}, [NO_CAMPAIGN]),
        ({"base_url": ""}, ["base_url is missing: Braze needs it."]),
        ({"base_url": "ftp://b.example"}, [NOT_A_HOST]),
        ({"base_url": "b.example"}, [NOT_A_HOST]),
        ({"base_url": "https://"}, [NOT_A_HOST]),
        ({"base_url": "https://b.example?x=1"}, [NOT_A_HOST]),
        ({"base_url": "https://me:secret@b.example"}, [NOT_A_HOST]),
        ({"base_url": "https://b.example:99999"}, [NOT_A_HOST]),
        ({"base_url": "https://[b.example"}, [NOT_A_HOST]),
        ({"base_url": "https://b .example"}, [NOT_A_HOST]),
        (
            {"campain_id": "x"},
            [
                "campain_id is no Braze setting. Did you mean 'campaign_id'?"
                " Allowed: base_url, campaign_id, canvas_id, messages."
            ],
        ),
        ({"campaign_id": "spring", "base_url": "x"}, [NOT_A_CAMPAIGN, NOT_A_HOST]),
    ],
)
def test_a_config_is_checked_all_at_once(change: dict[str, str], problems: list[str]) -> None:
    assert check_config(GOOD | change) == problems
