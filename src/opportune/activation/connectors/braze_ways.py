"""The ways of Braze to one person at a time: a triggered campaign or canvas, or content of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "CAMPAIGN",
    "CANVAS",
    "DIRECT",
    "MESSAGES",
    "PLACEHOLDER",
    "SEND_ID",
    "TEST_PROFILE",
    "WAYS",
    "Way",
    "target_of",
    "way_of",
]

TEST_PROFILE = "opportune-test-"
"""How the external id of a temporary profile begins that a test send was made for."""

MESSAGES = "messages"
"""The setting of a use case that has the messages themselves, as the text of a TOML document."""

SEND_ID = "send_id"
"""What the settings of a call have beside those of a use case: the id of the day's sends."""

PLACEHOLDER = re.compile(
    r"(?:api_trigger_properties|context|canvas_entry_properties)\s*\.\s*\$\{\s*(\w+)\s*\}"
)
"""How templates name what is chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How Braze names what one way needs.

    Parameters
    ----------
    setting:
        The setting of a use case, and the field of a call, that says which one; of content of ours
        it may be missing.
    path, schedules, properties:
        The call that sends, where those begin that keep schedules, and the field of a recipient
        that holds the options.
    received, named, times:
        The field of a user export that tells what was received, how one is named in it, and what
        may tell when.
    """

    setting: str
    path: str
    schedules: str
    properties: str
    received: str
    named: str
    times: tuple[str, ...]


CAMPAIGN = Way(
    setting="campaign_id",
    path="/campaigns/trigger/send",
    schedules="/campaigns/trigger/schedule",
    properties="trigger_properties",
    received="campaigns_received",
    named="api_campaign_id",
    times=("last_received",),
)
CANVAS = Way(
    setting="canvas_id",
    path="/canvas/trigger/send",
    schedules="/canvas/trigger/schedule",
    properties="context",
    received="canvases_received",
    named="api_canvas_id",
    times=("last_entered", "last_received_message"),
)
DIRECT = Way(
    setting="campaign_id",
    path="/messages/send",
    schedules="/messages/schedule",
    properties="",
    received="campaigns_received",
    named="api_campaign_id",
    times=("last_received",),
)
WAYS = (CAMPAIGN, CANVAS)


def way_of(config: Mapping[str, str]) -> Way:
    """Return the way that a use case's settings choose.

    >>> way_of({"canvas_id": "1f8b0c7d-2e3a-4b5c-8d9e-0f1a2b3c4d5e"}).path
    '/canvas/trigger/send'
    """
    if config.get(MESSAGES):
        return DIRECT
    return CANVAS if config.get(CANVAS.setting) else CAMPAIGN


def target_of(config: Mapping[str, str]) -> str:
    """Return the id of a use case's campaign or canvas; "" where it sends without one."""
    return config.get(way_of(config).setting, "")
