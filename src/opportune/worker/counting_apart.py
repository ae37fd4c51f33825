"""What goes out through a campaign of Braze goes out under an id of its use case and day."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from functools import partial

from opportune.activation import Channel, braze
from opportune.worker.model import Worker

__all__ = ["counted_apart"]

BRAZE = "braze"
# What is not made now is in the next round; sends do not wait for it.
PATIENCE = braze.Patience(tries=1, wait_s=0.0)


def counted_apart(worker: Worker, channel: Channel, now: datetime) -> Channel:
    """Return ``channel`` with the id of the day's sends, if it is one that Braze counts by them."""
    config = channel.config
    if channel.is_destination or channel.connector.name != BRAZE or "canvas_id" in config:
        return channel
    # An id is of one day, and what is handed over ahead goes out on another.
    if channel.schedules or not config.get("campaign_id"):
        return channel
    workspace = braze.Workspace(
        channel.call, clock=time.monotonic, sleep=time.sleep, patience=PATIENCE
    )
    name, campaign_id = channel.name, config["campaign_id"]
    state = worker.stores.state
    make = partial(braze.send_id, state, workspace, name, campaign_id, now=now)
    found = worker.troubles.attempt(f"send_id:{name}", make, "")
    return replace(channel, config={**config, braze.SEND_ID: found}) if found else channel
