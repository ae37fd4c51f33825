"""``/campaigns/list`` and ``/campaigns/details``."""

from __future__ import annotations

from typing import Any

import pytest

from opportune.sandbox import CAMPAIGN_ID

NOT_A_CAMPAIGN = "campaign_id must be a string of the campaign api identifier"


def test_the_list_has_both_campaigns_on_its_first_page_only(client: Any) -> None:
    first = client.get("/campaigns/list?page=0&sort_direction=desc")
    assert first.status == 200
    assert first.json["message"] == "success"
    assert [one["is_api_campaign"] for one in first.json["campaigns"]] == [True, False]
    assert first.json["campaigns"][1] == {
        "id": CAMPAIGN_ID,
        "last_edited": "2026-01-01T00:00:00+00:00",
        "name": "Offer of the day",
        "is_api_campaign": False,
        "tags": ["opportune"],
    }
    assert client.get("/campaigns/list?page=1").json == {"message": "success", "campaigns": []}


@pytest.mark.parametrize(("after", "shown"), [("2025-12-31", 2), ("2026-01-01T00:00:00Z", 0)])
def test_the_list_can_be_limited_to_what_was_edited_later(
    client: Any, after: str, shown: int
) -> None:
    answer = client.get(f"/campaigns/list?last_edit.time[gt]={after}")
    assert len(answer.json["campaigns"]) == shown


@pytest.mark.parametrize("query", ["page=-1", "sort_direction=up", "last_edit.time[gt]=soon"])
def test_a_wrong_query_is_400(client: Any, query: str) -> None:
    assert client.get(f"/campaigns/list?{query}").status == 400


def test_details_name_the_trigger_properties_and_a_variation_per_channel(client: Any) -> None:
    before = client.get(f"/campaigns/details?campaign_id={CAMPAIGN_ID}").json
    assert before["first_sent"] is None
    client.send({"external_user_id": "c000001"})
    answer = client.get(f"/campaigns/details?campaign_id={CAMPAIGN_ID}")
    assert answer.status == 200
    assert answer.json["description"] == "Trigger properties: offer, channel, hour"
    assert answer.json["channels"] == ["email", "android_push", "sms"]
    assert len(answer.json["messages"]) == 3
    assert answer.json["last_sent"] == "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize("query", ["", "?campaign_id=other"])
def test_details_of_another_campaign_are_400(client: Any, query: str) -> None:
    answer = client.get(f"/campaigns/details{query}")
    assert (answer.status, answer.json) == (400, {"message": NOT_A_CAMPAIGN})
