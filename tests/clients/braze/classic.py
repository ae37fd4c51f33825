"""Drives the sandbox with braze-client 2.3.3: python classic.py ADDRESS KEY CAMPAIGN."""

import json
import sys
import urllib.request

from braze.client import BrazeClient, BrazeClientError, BrazeRateLimitError

address, key, campaign = sys.argv[1:]
client = BrazeClient(api_key=key, api_url=address)
answers = {}
answers["track"] = client.user_track(attributes=[{"external_id": "classic-1", "tier": "gold"}])
answers["export"] = client.user_export(external_ids=["classic-1"], fields_to_export=["external_id"])
answers["schedule"] = client.campaign_trigger_schedule_create(
    campaign, {"time": "2030-01-01T09:00:00Z"}, recipients=[{"external_user_id": "classic-1"}]
)
answers["delete"] = client.user_delete(["classic-1"])
try:
    client.user_track(attributes=[{"tier": "lost"}])
except BrazeClientError as error:
    answers["refused"] = list(error.args)


def fail_next(path, *faults):
    body = json.dumps({"path": path, "faults": faults}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{address}/_sandbox/faults", body)).close()


fail_next("/users/track", "503", "503")
answers["after_two_failures"] = client.user_track(attributes=[{"external_id": "c000001", "t": 1}])
fail_next("/users/delete", "429")
try:
    client.user_delete(["c000001"])
except BrazeRateLimitError as error:
    answers["limited_until"] = error.reset_epoch_s
json.dump(answers, sys.stdout)
