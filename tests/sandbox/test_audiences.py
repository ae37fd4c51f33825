"""Whom an audience describes, and which ones are refused."""

from __future__ import annotations

from typing import Any

import pytest

from opportune.sandbox import CAMPAIGN_ID

from .test_send_ways import track


@pytest.mark.parametrize(
    ("comparison", "value", "holds"),
    [
        *(("equals", 5, True), ("not_equal", 5, False), ("equals", True, False)),
        *(("greater_than", 4, True), ("less_than", 5, False), ("less_than_or_equal_to", 5, True)),
        *(
            ("greater_than_or_equal_to", 6, False),
            ("exists", None, True),
            ("does_not_exist", None, False),
        ),
    ],
)
def test_numbers_compare(start: Any, comparison: str, value: Any, holds: bool) -> None:
    assert described(start, {"n": 5}, "n", comparison, value) == holds


@pytest.mark.parametrize(
    ("comparison", "value", "holds"),
    [
        *(("matches_regex", "^go", True), ("does_not_match_regex", "^go", False)),
        *(("includes_value", "a", True), ("does_not_include_value", "z", True)),
        *(("after", "2025-12-01", True), ("before", "2025-12-01", False)),
        *(("less_than_x_days_ago", 3, True), ("greater_than_x_days_ago", 3, False)),
        *(
            ("less_than_x_days_in_the_future", 3, True),
            ("greater_than_x_days_in_the_future", 3, False),
        ),
    ],
)
def test_texts_lists_and_times_compare(
    start: Any, comparison: str, value: Any, holds: bool
) -> None:
    have: Any = ["a", "b"] if "include" in comparison else "2025-12-30T00:00:00Z"
    have = "gold" if "regex" in comparison else have
    assert described(start, {"n": have}, "n", comparison, value) == holds


def described(start: Any, written: dict[str, Any], name: str, comparison: str, value: Any) -> bool:
    client = start(customers=1)
    track(client, **written)
    wanted: dict[str, Any] = {"custom_attribute_name": name, "comparison": comparison}
    wanted |= {} if value is None else {"value": value}
    body = {"campaign_id": CAMPAIGN_ID, "audience": {"custom_attribute": wanted}}
    answer = client.post("/campaigns/trigger/send", body)
    assert answer.status == 201, answer.text
    return bool(client.sent_users()[0])


@pytest.mark.parametrize(
    "audience",
    [
        {"AND": []},
        {"a": {}, "b": {}},
        {"spending": {}},
        {"custom_attribute": []},
        {"custom_attribute": {"comparison": "equals"}},
        {"custom_attribute": {"custom_attribute_name": "n", "comparison": "like"}},
        {"custom_attribute": {"custom_attribute_name": "n", "comparison": "equals", "value": {}}},
        {
            "custom_attribute": {
                "custom_attribute_name": "n",
                "comparison": "less_than",
                "value": "a",
            }
        },
        {
            "custom_attribute": {
                "custom_attribute_name": "n",
                "comparison": "matches_regex",
                "value": "(",
            }
        },
        {
            "custom_attribute": {
                "custom_attribute_name": "n",
                "comparison": "after",
                "value": "soon",
            }
        },
        {
            "custom_attribute": {
                "custom_attribute_name": "n",
                "comparison": "less_than_x_days_ago",
                "value": "a",
            }
        },
        {"email_subscription_status": {"comparison": "is", "value": "maybe"}},
        {"last_used_app": {"comparison": "near", "value": "2026-01-01"}},
    ],
)
def test_a_wrong_audience_is_400(client: Any, audience: Any) -> None:
    body = {"campaign_id": CAMPAIGN_ID, "audience": audience}
    assert client.post("/campaigns/trigger/send", body).status == 400


def test_states_of_subscription_and_the_last_session_describe_users(start: Any) -> None:
    client = start(customers=3)
    track(client, email_subscribe="opted_in", date_of_last_session="2025-12-31T00:00:00Z")
    for audience, users in (
        ({"email_subscription_status": {"comparison": "is", "value": "opted_in"}}, 1),
        ({"push_subscription_status": {"comparison": "is_not", "value": "opted_in"}}, 3),
        ({"last_used_app": {"comparison": "after", "value": "2025-12-01"}}, 1),
    ):
        client.post("/campaigns/trigger/send", {"campaign_id": CAMPAIGN_ID, "audience": audience})
        assert len(client.sent_users()[-1]) == users
