"""What somebody set up in the dashboard: campaigns, canvases, segments, templates, blocks, tags."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Literal

import msgspec

from opportune.sandbox.model import CAMPAIGN_ID, CAMPAIGN_NAME
from opportune.sandbox.rendering import reads_profile
from opportune.simulate import Market

__all__ = [
    "API_CAMPAIGN_ID",
    "CANVAS_ID",
    "SEGMENT_ID",
    "Block",
    "Campaign",
    "Canvas",
    "Catalogue",
    "Kept",
    "Segment",
    "Step",
    "Template",
    "Variant",
    "Variation",
    "content_id",
    "default_catalogue",
    "new_id",
]

API_CAMPAIGN_ID = "2f6a3c1d-7b58-4e0f-9d42-6c8b1a7e5f30"
CANVAS_ID = "1f8b0c7d-2e3a-4b5c-8d9e-0f1a2b3c4d5e"
SEGMENT_ID = "2b1f6f0c-9c0b-4a2e-8f49-1b6f7f1f9a01"
VARIANT_ID = "6b1d2c3e-4f50-4a61-8b72-9c83ad94be05"
STEP_ID = "0d1e2f30-4152-4363-8475-8697a8b9cadb"
MAX_KEPT = 1000
TAG = "opportune"
CHANNELS = {"push": "android_push"}  # what Braze calls a channel of the market


class Variation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One way a message may look. ``value`` is the channel property's value that asks for it."""

    id: str
    channel: str
    name: str = ""
    content: dict[str, object] = {}
    value: str = ""
    control: bool = False


class Campaign(msgspec.Struct, frozen=True, omit_defaults=True):
    """A campaign: ``triggered`` ones have content, ``api`` ones are shells for ``/messages/send``.

    ``channel_property`` names the trigger property that chooses the variation; without it, the
    user's hash does. ``re_eligible_after_s``: None means once ever, 0 always.
    """

    name: str
    variations: list[Variation] = []
    id: str = ""
    kind: Literal["triggered", "api"] = "triggered"
    channel_property: str = ""
    segment_id: str = ""
    re_eligible_after_s: int | None = 0
    archived: bool = False
    draft: bool = False
    enabled: bool = True
    tags: list[str] = []
    description: str = ""
    conversion_window_s: int = 172_800
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """A step of a canvas. Its message goes out ``delay_s`` after the step before was reached."""

    id: str
    name: str
    variations: list[Variation] = []
    delay_s: int = 0
    next_step_ids: list[str] = []


class Variant(msgspec.Struct, frozen=True):
    """A way through a canvas; without a first step it is the control group."""

    id: str
    name: str
    first_step_ids: list[str] = []


class Canvas(msgspec.Struct, frozen=True, omit_defaults=True):
    """An API-triggered canvas; ``enabled`` false is paused."""

    name: str
    variants: list[Variant]
    steps: list[Step]
    id: str = ""
    channel_property: str = ""
    segment_id: str = ""
    re_eligible_after_s: int | None = 0
    archived: bool = False
    draft: bool = False
    enabled: bool = True
    tags: list[str] = []
    description: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Segment(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everybody whom ``filter`` (as an ``audience``) describes, or a list, or all users."""

    name: str
    id: str = ""
    filter: dict[str, object] | None = None
    external_ids: list[str] | None = None
    description: str = "All users"
    text_description: str = ""
    tags: list[str] = []
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Template(msgspec.Struct, frozen=True):
    """An HTML email template."""

    id: str
    name: str
    subject: str
    body: str
    created_at: datetime
    updated_at: datetime
    plaintext_body: str | None = None
    preheader: str | None = None
    tags: list[str] = []
    should_inline_css: bool = False
    description: str = ""


class Block(msgspec.Struct, frozen=True):
    """A content block, which templates include by name."""

    id: str
    name: str
    content: str
    created_at: datetime
    updated_at: datetime
    description: str = ""
    state: Literal["active", "draft"] = "active"
    tags: list[str] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Variations under the id of what they say; ``reads`` tells which must be rendered at once."""

    id: str
    variations: Sequence[Variation]
    reads: Sequence[bool]


@dataclass(slots=True, kw_only=True)
class Catalogue:
    """Everything by its id, in the order it was made. ``send_ids`` holds (campaign, send id)."""

    campaigns: dict[str, Campaign] = field(default_factory=dict)
    canvases: dict[str, Canvas] = field(default_factory=dict)
    segments: dict[str, Segment] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    blocks: dict[str, Block] = field(default_factory=dict)
    tags: set[str] = field(default_factory=lambda: {TAG})
    send_ids: set[tuple[str, str]] = field(default_factory=set)
    contents: dict[str, tuple[Variation, ...]] = field(default_factory=dict)
    _kept: dict[int, Kept] = field(default_factory=dict)

    def keep(self, variations: Sequence[Variation]) -> Kept:
        """Remember what these variations say, under an id that follows from what they say."""
        known = self._kept.get(id(variations))
        if known is not None and known.variations is variations:
            return known
        kept = Kept(
            id=content_id(variations),
            variations=variations,
            reads=[reads_profile(one.content) for one in variations],
        )
        self.contents.setdefault(kept.id, tuple(variations))
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        self._kept[id(variations)] = kept
        return kept

    def block(self, name: str) -> Block | None:
        """The content block of this name."""
        return next((one for one in self.blocks.values() if one.name == name), None)


def content_id(variations: Sequence[Variation]) -> str:
    """An id that is the same for the same variations.

    >>> content_id([]) == content_id(())
    True
    """
    return blake2b(msgspec.json.encode(list(variations)), digest_size=8).hexdigest()


def default_catalogue(market: Market, now: datetime) -> Catalogue:
    """One triggered campaign, one API campaign, one canvas, one segment: ready to be driven."""
    made = Catalogue()
    variations = _variations(market, "api_trigger_properties")
    channel = market.space.dimensions[1].name
    names = ", ".join(d.name for d in market.space.dimensions)
    made.campaigns[CAMPAIGN_ID] = Campaign(
        id=CAMPAIGN_ID,
        name=CAMPAIGN_NAME,
        variations=variations,
        channel_property=channel,
        tags=[TAG],
        description=f"Trigger properties: {names}",
        created_at=now,
        updated_at=now,
    )
    made.campaigns[API_CAMPAIGN_ID] = Campaign(
        id=API_CAMPAIGN_ID,
        name="Messages from outside",
        kind="api",
        variations=[
            Variation(id=f"{name}-from-outside", channel=name, name=name)
            for name in ("email", "android_push", "sms", "webhook")
        ],
        tags=[TAG],
        created_at=now,
        updated_at=now,
    )
    made.canvases[CANVAS_ID] = _canvas(market, now)
    made.segments[SEGMENT_ID] = Segment(
        id=SEGMENT_ID, name="All customers", tags=[TAG], created_at=now, updated_at=now
    )
    return made


def _canvas(market: Market, now: datetime) -> Canvas:
    """One way, one step, a message as in the triggered campaign."""
    step = Step(id=STEP_ID, name="Offer", variations=_variations(market, "context"))
    return Canvas(
        id=CANVAS_ID,
        name="Offer journey",
        variants=[Variant(id=VARIANT_ID, name="Variant 1", first_step_ids=[STEP_ID])],
        steps=[step],
        channel_property=market.space.dimensions[1].name,
        tags=[TAG],
        description=f"Context: {', '.join(d.name for d in market.space.dimensions)}",
        created_at=now,
        updated_at=now,
    )


def _variations(market: Market, root: str) -> list[Variation]:
    """One a channel of the market; each names the options that were chosen and links to one."""
    dimensions = market.space.dimensions
    placed = {d.name: f"{{{{{root}.${{{d.name}}}}}}}" for d in dimensions}
    said = " ".join(placed.values())
    link = f"https://shop.example/{placed[dimensions[0].name]}?d={{{{{root}.${{decision_id}}}}}}"
    contents: Mapping[str, dict[str, object]] = {
        "email": {
            "subject": placed[dimensions[0].name],
            "body": f'<p>{said}</p><p><a href="{link}">See the offer</a></p>',
            "from": "Shop <hello@shop.example>",
        },
        "push": {"title": placed[dimensions[0].name], "alert": f"{said} {link}"},
    }
    return [
        Variation(
            id=f"{channel}-offer-of-the-day",
            channel=CHANNELS.get(channel, channel),
            name=channel,
            value=channel,
            content=contents.get(channel, {"body": f"{said} {link}"}),
        )
        for channel in dimensions[1].options
    ]


def new_id() -> str:
    """A new id of anything in the dashboard."""
    return str(uuid.uuid4())
