"""``/messages/send``: content that the request itself carries, the same for everybody."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping

import msgspec
from starlette.responses import Response

from opportune.sandbox.catalogue import Campaign, Variation
from opportune.sandbox.delivery import Sending, deliver, members
from opportune.sandbox.diary import Target
from opportune.sandbox.exchange import Exchange, answer, decoded
from opportune.sandbox.filters import Filter, parse_filter
from opportune.sandbox.messaging import check_send_id, named_campaign
from opportune.sandbox.model import Refused
from opportune.sandbox.targeting import MAX_RECIPIENTS, Alias, audience_of
from opportune.sandbox.workspace import Workspace

__all__ = ["MessagesSend", "checked_messages", "direct_targets", "draw_direct", "messages_send"]

_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "email": ("app_id", "from"),
    "sms": ("app_id", "subscription_group_id", "body"),
    "webhook": ("url", "request_method"),
    **dict.fromkeys(
        ("apple_push", "android_push", "web_push", "kindle_push", "content_card", "whats_app"), ()
    ),
}
_CHANNELS = {"apple_push": "ios_push", "content_card": "content_cards"}
_METHODS = ("POST", "PUT", "DELETE", "GET")
_STATES = ("opted_in", "subscribed", "all")
_TEXTS = (
    *("app_id", "from", "subject", "reply_to", "bcc", "body", "plaintext_body", "preheader"),
    *("email_template_id", "message_variation_id", "url", "subscription_group_id", "title"),
)


class MessagesSend(msgspec.Struct, frozen=True, kw_only=True):
    """The body of the call, as sent."""

    broadcast: bool = False
    external_user_ids: list[str | int] | None = None
    user_aliases: list[Alias] | None = None
    segment_id: str | None = None
    audience: dict[str, object] | None = None
    campaign_id: str | None = None
    send_id: str | None = None
    override_frequency_capping: bool = False
    recipient_subscription_state: str = "subscribed"
    messages: dict[str, dict[str, object]] | None = None


_MESSAGES_SEND = msgspec.json.Decoder(MessagesSend)


async def messages_send(exchange: Exchange) -> Response:
    """Accept one message a channel for everybody named; 201 means accepted."""
    sent, workspace = decoded(exchange.body, _MESSAGES_SEND), exchange.workspace
    named = bool(sent.external_user_ids or sent.user_aliases)
    send_id = sent.send_id or ("" if named else uuid.uuid4().hex)
    sending, audience = checked_messages(
        sent, workspace, send_id=send_id, uncapped=sent.override_frequency_capping
    )
    draw_direct(exchange, sent)
    call = deliver(
        workspace,
        sending,
        direct_targets(sent, workspace, audience),
        at=workspace.now,
        request_id=exchange.request_id,
    )
    extra = {"dispatch_id": call.dispatch_id}
    if send_id:
        extra["send_id"] = send_id
    return answer(201, "success", extra)


def checked_messages(
    sent: MessagesSend,
    workspace: Workspace,
    *,
    send_id: str = "",
    schedule_id: str = "",
    uncapped: bool = False,
) -> tuple[Sending, Filter | None]:
    """What the call sends, and its audience; everything that is wrong with it is a 400."""
    named = (sent.external_user_ids or []) + list(sent.user_aliases or [])
    if (
        sent.external_user_ids is None
        and sent.user_aliases is None
        and not (sent.segment_id or sent.audience is not None)
    ):
        raise Refused("No Recipients: name users, a segment or an audience")
    if sent.broadcast == bool(named):
        raise Refused("broadcast must be true when no users are listed, and only then")
    if len(named) > MAX_RECIPIENTS:
        raise Refused("The max number of external_ids and aliases per request was exceeded")
    if sent.recipient_subscription_state not in _STATES:
        raise Refused(f"recipient_subscription_state must be one of {', '.join(_STATES)}")
    check_send_id(sent.send_id)
    if sent.segment_id is not None:
        members(workspace, sent.segment_id)
    campaign = None if sent.campaign_id is None else named_campaign(sent.campaign_id, workspace)
    if not sent.messages:
        raise Refused("No message to send")
    sending = Sending(
        variations=[_variation(*one, campaign, workspace) for one in sent.messages.items()],
        campaign_id=sent.campaign_id or "",
        every_channel=True,
        state=sent.recipient_subscription_state,
        capped=not uncapped,
        send_id=send_id or sent.send_id or "",
        schedule_id=schedule_id,
    )
    return sending, None if sent.audience is None else parse_filter(sent.audience)


def direct_targets(
    sent: MessagesSend, workspace: Workspace, audience: Filter | None
) -> Iterator[Target]:
    """Everybody the call means."""
    people = workspace.people
    if sent.external_user_ids or sent.user_aliases:
        for name in sent.external_user_ids or ():
            yield people.numbers.get(str(name)), str(name), {}
        for alias in sent.user_aliases or ():
            yield people.aliases.get((alias.alias_label, alias.alias_name)), "(by alias)", {}
        return
    for number in audience_of(workspace, sent.segment_id or "", audience):
        yield number, "", {}


def draw_direct(exchange: Exchange, sent: MessagesSend, *, scheduled: bool = False) -> None:
    """Count the call against its pool; scheduled ones are in the default pool whatever they do."""
    if scheduled or sent.external_user_ids or sent.user_aliases:
        exchange.draw("default")
        return
    audience = msgspec.json.encode(sent.audience).decode()
    exchange.draw("broadcast")
    exchange.draw("broadcast audience", of=f"{sent.campaign_id} {sent.segment_id} {audience}")


def _variation(
    kind: str, message: Mapping[str, object], campaign: Campaign | None, workspace: Workspace
) -> Variation:
    """One message object as a variation of the call."""
    if kind not in _REQUIRED:
        raise Refused(f"Mismatched Message Type: {kind}; use {', '.join(_REQUIRED)}")
    where, content = f"messages.{kind}", dict(message)
    for name in _REQUIRED[kind]:
        if not isinstance(message.get(name), str) or not message[name]:
            raise Refused(f"{where}.{name} is required")
    for name in _TEXTS:
        if name in message and not isinstance(message[name], str):
            raise Refused(f"{where}.{name} must be a string")
    if kind == "email":
        content = _email(message, workspace)
    elif kind == "webhook" and message["request_method"] not in _METHODS:
        raise Refused(f"{where}.request_method must be one of {', '.join(_METHODS)}")
    elif kind.endswith("_push") and not isinstance(message.get("alert", ""), str | dict):
        raise Refused(f"{where}.alert must be a string or an object")
    channel = _CHANNELS.get(kind, kind)
    named = str(message.get("message_variation_id", ""))
    if campaign is not None:
        _check_variation(campaign, named, channel, where)
    return Variation(id=named, channel=channel, content=content)


def _email(message: Mapping[str, object], workspace: Workspace) -> dict[str, object]:
    """The content of an email; what the message does not say comes from its template."""
    attachments = message.get("attachments", [])
    if not isinstance(attachments, list) or not all(
        isinstance(one, dict) and isinstance(one.get("file_name"), str) and one.get("url")
        for one in attachments
    ):
        raise Refused("messages.email.attachments must be a list of file_name and url")
    template_id = message.get("email_template_id")
    if template_id is None:
        if not isinstance(message.get("body"), str):
            raise Refused("messages.email needs a body or an email_template_id")
        return dict(message)
    template = workspace.catalogue.templates.get(str(template_id))
    if template is None:
        raise Refused("messages.email.email_template_id is not the id of a template")
    said = {"subject": template.subject, "body": template.body, "preheader": template.preheader}
    return {**{name: text for name, text in said.items() if text is not None}, **message}


def _check_variation(campaign: Campaign, named: str, channel: str, where: str) -> None:
    if not named:
        raise Refused(f"Message Variant Unspecified: {where}.message_variation_id is required")
    found = next((one for one in campaign.variations if one.id == named), None)
    if found is None:
        raise Refused(f"Invalid Message Variant: {where}.message_variation_id {named[:64]!r}")
    if found.channel != channel:
        raise Refused(f"Mismatched Message Type: {named[:64]} is of {found.channel}")
