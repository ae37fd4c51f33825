"""What a workspace of Braze holds, as it tells of it; fields that we do not use are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = [
    "Campaign",
    "Canvas",
    "CanvasStep",
    "CanvasVariant",
    "Content",
    "Listed",
    "ListedTemplate",
    "Segment",
    "SegmentSize",
    "Template",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A campaign, a canvas or a segment in its list. ``is_api_campaign`` is only of campaigns."""

    id: str
    name: str
    tags: tuple[str, ...] = ()
    last_edited: str | None = None
    is_api_campaign: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """One message variation. ``type`` is "control" for Braze's own control group.

    Of the texts, a channel has those that it can show.
    """

    channel: str
    name: str | None = None
    type: str | None = None
    subject: str | None = None
    preheader: str | None = None
    body: str | None = None
    title: str | None = None
    alert: str | None = None

    @property
    def is_control(self) -> bool:
        """Whether nothing is sent to whom this falls to."""
        return self.type == "control"

    @property
    def texts(self) -> tuple[str, ...]:
        """What templates may stand in, those that are there."""
        given = (self.subject, self.preheader, self.body, self.title, self.alert)
        return tuple(text for text in given if text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A campaign with its message variations by id."""

    name: str
    archived: bool = False
    draft: bool = False
    enabled: bool = True
    schedule_type: str | None = None
    channels: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    description: str | None = None
    first_sent: str | None = None
    last_sent: str | None = None
    messages: Mapping[str, Content] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CanvasVariant:
    """A way through a canvas; one without a first step is Braze's own control group."""

    id: str
    name: str | None = None
    first_step_ids: tuple[str, ...] = ()
    first_step_id: str | None = None

    @property
    def is_control(self) -> bool:
        """Whether nobody who gets this is sent anything."""
        return not self.first_step_ids and not self.first_step_id


@dataclass(frozen=True, slots=True, kw_only=True)
class CanvasStep:
    """A step of a canvas with its messages by id."""

    id: str
    name: str | None = None
    type: str | None = None
    channels: tuple[str, ...] = ()
    messages: Mapping[str, Content] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """A canvas: its ways and steps."""

    name: str
    archived: bool = False
    draft: bool = False
    enabled: bool = True
    channels: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    description: str | None = None
    variants: tuple[CanvasVariant, ...] = ()
    steps: tuple[CanvasStep, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A segment; ``description`` has its filters in words."""

    name: str
    description: str | None = None
    text_description: str | None = None
    tags: tuple[str, ...] = ()
    created_at: str | None = None
    updated_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSize:
    """How many are in a segment on a day: Braze's estimate, not a count."""

    time: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTemplate:
    """An email template in its list."""

    email_template_id: str
    template_name: str
    created_at: str | None = None
    updated_at: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """An email template with its content."""

    email_template_id: str
    template_name: str
    subject: str | None = None
    preheader: str | None = None
    body: str | None = None
    plaintext_body: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
