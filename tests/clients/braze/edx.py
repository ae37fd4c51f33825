"""Drives the sandbox with edx-braze-client: python edx.py ADDRESS KEY CAMPAIGN CANVAS."""

import json
import sys

from braze.client import BrazeClient
from braze.exceptions import BrazeBadRequestError, BrazeUnauthorizedError

address, key, campaign, canvas = sys.argv[1:]
client = BrazeClient(api_key=key, api_url=address, app_id="app")
email = "edx@example.com"
answers = {}
answers["alias"] = client.create_braze_alias([email], "edx")
recipients = client.create_recipients("edx", {email: 77}, {email: {"offer": "tv_bundle"}})
answers["campaign"] = client.send_campaign_message(campaign, recipients=list(recipients.values()))
answers["canvas"] = client.send_canvas_message(
    canvas, recipients=[{"external_user_id": "77"}], canvas_entry_properties={"offer": "mobile_sim"}
)
answers["email"] = client.send_email(
    emails=["c000001@customers.example"], subject="s", body="b", from_email="a@b.example"
)
answers["found"] = client.get_braze_external_id("c000001@customers.example")
answers["track"] = client.track_user(attributes=[{"external_id": "77", "tier": "gold"}])
client.unsubscribe_user_email(email=["c000002@customers.example"])
answers["unsubscribed"] = client.retrieve_unsubscribed_emails("2020-01-01", "2040-01-01")
for name, wrong, told in (
    ("wrong_key", BrazeClient("wrong", address, "app"), BrazeUnauthorizedError),
    ("wrong_campaign", client, BrazeBadRequestError),
):
    try:
        wrong.send_campaign_message("nowhere", recipients=[{"external_user_id": "77"}])
    except told as error:
        answers[name] = type(error).__name__
json.dump(answers, sys.stdout)
