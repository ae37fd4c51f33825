"""Who of those a call named gets a message, and which; the others are dropped without a word."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

from opportune.sandbox.catalogue import Campaign, Canvas, Step, Variation
from opportune.sandbox.diary import Target
from opportune.sandbox.filters import Facts, parse_filter
from opportune.sandbox.model import Message, Refused, SendCall
from opportune.sandbox.rendering import Aborted, BadTemplate, render
from opportune.sandbox.workspace import Workspace

__all__ = ["Sending", "deliver", "members", "of_campaign", "of_step", "rendered"]

_SUBSCRIBED = {"email": "email"} | dict.fromkeys(
    ("ios_push", "android_push", "web_push", "kindle_push"), "push"
)

Drop = Callable[[int], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What a call sends. ``every_channel``: each user gets all variations, else one of them."""

    variations: Sequence[Variation]
    campaign_id: str = ""
    canvas_id: str = ""
    step_id: str = ""
    channel_property: str = ""
    segment_id: str = ""
    re_eligible_after_s: int | None = 0
    every_channel: bool = False
    state: str = "subscribed"
    capped: bool = True
    send_id: str = ""
    schedule_id: str = ""


def of_campaign(campaign: Campaign, *, send_id: str = "", schedule_id: str = "") -> Sending:
    """What a triggered campaign sends."""
    return Sending(
        variations=campaign.variations,
        campaign_id=campaign.id,
        channel_property=campaign.channel_property,
        segment_id=campaign.segment_id,
        re_eligible_after_s=campaign.re_eligible_after_s,
        send_id=send_id,
        schedule_id=schedule_id,
    )


def of_step(canvas: Canvas, step: Step, *, first: bool, schedule_id: str = "") -> Sending:
    """What a step of a canvas sends; whether somebody may enter is asked at the ``first``."""
    return Sending(
        variations=step.variations,
        canvas_id=canvas.id,
        step_id=step.id,
        channel_property=canvas.channel_property,
        segment_id=canvas.segment_id if first else "",
        re_eligible_after_s=canvas.re_eligible_after_s if first else 0,
        schedule_id=schedule_id,
    )


def deliver(
    workspace: Workspace,
    sending: Sending,
    targets: Iterable[Target],
    *,
    at: datetime,
    request_id: str,
    dispatch_id: str = "",
) -> SendCall:
    """Accept one message for each target that can have one, as of ``at``."""
    making = _Making(workspace, sending, at)
    making.add_all(targets)
    call = SendCall(
        at=at,
        dispatch_id=dispatch_id or uuid.uuid4().hex,
        campaign_id=sending.campaign_id,
        request_id=request_id,
        messages=list(making.messages.values()),
        dropped=list(making.dropped),
        reasons=list(making.dropped.values()),
        canvas_id=sending.canvas_id,
        step_id=sending.step_id,
        send_id=sending.send_id,
        schedule_id=sending.schedule_id,
        content_id=workspace.catalogue.keep(sending.variations).id,
    )
    workspace.accept(call, making.chosen())
    return call


class _Making:
    """Collects the messages of one call; the same user twice is one, with the last properties."""

    def __init__(self, workspace: Workspace, sending: Sending, at: datetime) -> None:
        self.messages: dict[int, Message] = {}
        self._chosen: dict[int, int] = {}  # the variation of each message
        self.dropped: dict[str, str] = {}
        self._workspace, self._sending, self._at = workspace, sending, at
        self._reads = workspace.catalogue.keep(sending.variations).reads
        self._places = {one.value: i for i, one in enumerate(sending.variations) if one.value}
        self._property = sending.channel_property
        self._shares = not self._places and not sending.every_channel
        self._named = self._shares or sending.every_channel
        self._names = workspace.people.names
        self._drop = _gate(workspace, sending, at)
        self._controls = [one.control for one in sending.variations]
        self._closed = [_refusing(workspace, sending, one) for one in sending.variations]

    def chosen(self) -> tuple[list[int], list[int]]:
        """User and variation of each message."""
        width = len(self._sending.variations) if self._sending.every_channel else 1
        return [key // width for key in self._chosen], list(self._chosen.values())

    def add_all(self, targets: Iterable[Target]) -> None:
        """Everybody gets what is theirs, unless something speaks against it."""
        plain = not (self._drop or self._named or any(self._reads) or any(self._controls))
        for number, label, properties in targets:
            if number is None:
                self.dropped[label] = "unknown user"
            elif not plain:
                self.add(number, properties)
            else:  # as add does, without the questions that have one answer here
                asked = properties.get(self._property)
                place = self._places.get(asked, 0) if isinstance(asked, str) else 0
                name = self._names[number]
                if name is None or self._closed[place](number):
                    self.add(number, properties)
                else:
                    self.messages[number] = Message(name, properties)
                    self._chosen[number] = place

    def drop(self, label: str, reason: str) -> None:
        """Somebody gets nothing."""
        self.dropped[label] = reason

    def add(self, number: int, properties: dict[str, object]) -> None:
        """Somebody gets what is theirs, unless something speaks against it."""
        reason = None if self._drop is None else self._drop(number)
        if reason is not None:
            self.drop(self._label(number), reason)
        elif self._sending.every_channel:
            for place in range(len(self._sending.variations)):
                self._one(number, place, properties)
        elif self._shares:
            self._one(number, _share(self._workspace, number, self._sending), properties)
        else:
            asked = properties.get(self._property)
            place = self._places.get(asked, 0) if isinstance(asked, str) else 0
            self._one(number, place, properties)

    def _one(self, number: int, place: int, properties: dict[str, object]) -> None:
        if self._closed[place](number):
            return self.drop(self._label(number), "unsubscribed")
        if self._controls[place]:
            return self.drop(self._label(number), "control group")
        content: object = None
        if self._reads[place]:
            try:
                content = rendered(
                    self._workspace, self._sending, place, number=number, properties=properties
                )
            except Aborted as reason:
                return self.drop(self._label(number), f"aborted: {reason}")
            except BadTemplate:
                return self.drop(self._label(number), "template cannot be rendered")
        name = self._names[number]
        width = len(self._sending.variations)
        key = number * width + place if self._sending.every_channel else number
        self._chosen[key] = place
        self.messages[key] = Message(
            name or "",
            properties,
            "" if name else self._workspace.people.braze_id_of(number),
            place if self._named else -1,
            content if isinstance(content, dict) else None,
        )
        return None

    def _label(self, number: int) -> str:
        people = self._workspace.people
        return people.names[number] or people.braze_id_of(number)


def rendered(
    workspace: Workspace,
    sending: Sending | SendCall,
    place: int,
    *,
    number: int | None,
    properties: Mapping[str, object],
) -> object:
    """The content of a variation for one user, or with an empty profile for None."""
    if isinstance(sending, SendCall):
        variation = workspace.variations_of(sending)[place]
    else:
        variation = sending.variations[place]
    fields, custom = ({}, {}) if number is None else workspace.people.profile(number)
    names: dict[str, object] = {
        "profile_field": {**fields, "user_id": fields.get("external_id")},
        "custom_attribute": custom,
        "api_trigger_properties": properties,
        "context": properties,
        "canvas_entry_properties": properties,
        "campaign": {"api_id": sending.campaign_id, "message_api_id": variation.id},
        "canvas": {"api_id": sending.canvas_id},
    }

    def block(name: str) -> str | None:
        found = workspace.catalogue.block(name)
        return None if found is None else found.content

    return render(variation.content, names, block)


def members(workspace: Workspace, segment_id: str) -> Callable[[int], bool]:
    """Whether a user belongs to the segment; ``Refused`` when there is no such segment."""
    segment = workspace.catalogue.segments.get(segment_id)
    if segment is None:
        raise Refused("segment_id must be a string of the segment api identifier")
    if segment.external_ids is not None:
        numbers = workspace.people.numbers
        listed = {numbers[name] for name in segment.external_ids if name in numbers}
        return listed.__contains__
    if segment.filter is None:
        return lambda number: number not in workspace.people.gone
    holds = parse_filter(segment.filter, "segment")

    def belongs(number: int) -> bool:
        fields, custom = workspace.people.profile(number)
        return holds(Facts(fields=fields, custom=custom, now=workspace.now))

    return belongs


def _gate(workspace: Workspace, sending: Sending, at: datetime) -> Drop | None:
    """Why a user gets nothing of this whatever the channel; None when nothing could speak so."""
    cap = workspace.messages_per_day if sending.capped else None
    if cap is None and not sending.segment_id and sending.re_eligible_after_s == 0:
        return None
    belongs = members(workspace, sending.segment_id) if sending.segment_id else None
    span_s = sending.re_eligible_after_s
    before = workspace.received.get(sending.campaign_id or sending.canvas_id, {})

    def drop(number: int) -> str | None:
        if belongs is not None and not belongs(number):
            return "not in the target segment"
        last = before.get(number) if span_s != 0 else None
        if last is not None and (span_s is None or at < last[0] + timedelta(seconds=span_s)):
            return "not eligible again"
        if cap is not None and workspace.received_on(at.date(), number) >= cap:
            return "frequency cap"
        return None

    return drop


def _refusing(
    workspace: Workspace, sending: Sending, variation: Variation
) -> Callable[[int], bool]:
    """Whether a user does not want messages on the channel of this variation."""
    channel = _SUBSCRIBED.get(variation.channel)
    if channel is None or sending.state == "all":
        return lambda _: False
    if sending.state == "opted_in":
        willing = workspace.people.opted_in[channel]
        return lambda number: number not in willing
    return workspace.people.closed[channel].__contains__


def _share(workspace: Workspace, number: int, sending: Sending) -> int:
    """The variation that the hash of a user falls to; all have the same share."""
    key = f"{sending.campaign_id}{sending.step_id}:{workspace.people.braze_id_of(number)}"
    drawn = int.from_bytes(blake2b(key.encode(), digest_size=4).digest())
    return drawn % max(len(sending.variations), 1)
