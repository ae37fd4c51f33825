"""``POST /campaigns/trigger/send``: check the call as Braze would, then accept it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

import msgspec
from starlette.responses import Response

from opportune.sandbox.exchange import Exchange, answer, decoded
from opportune.sandbox.faults import after_effect, before_effect
from opportune.sandbox.model import CAMPAIGN_ID, Message, Refused, SendCall
from opportune.sandbox.workspace import Workspace

__all__ = ["trigger_send"]

MAX_RECIPIENTS = 50
MAX_PROPERTIES_BYTES = 50_000
MAX_EXTERNAL_ID_BYTES = 987
IDENTIFIERS = "external_user_id, user_alias, braze_id or email"


class Alias(msgspec.Struct, frozen=True):
    """A second name of a user; nobody in this workspace has one."""

    alias_name: str
    alias_label: str


class Recipient(msgspec.Struct, frozen=True):
    """One entry of ``recipients``, as sent."""

    external_user_id: str | int | None = None
    user_alias: Alias | None = None
    braze_id: str | None = None
    email: str | None = None
    prioritization: list[str] | None = None
    trigger_properties: msgspec.Raw = msgspec.Raw()
    send_to_existing_only: bool = True
    attributes: dict[str, object] | None = None


class TriggerSend(msgspec.Struct, frozen=True):
    """The body of the call, as sent."""

    campaign_id: object = None
    recipients: list[Recipient] | None = None
    broadcast: bool = False
    audience: object = None
    trigger_properties: msgspec.Raw = msgspec.Raw()
    send_id: str | None = None
    attachments: list[object] | None = None


_TRIGGER_SEND = msgspec.json.Decoder(TriggerSend)
_PROPERTIES = msgspec.json.Decoder(dict[str, object])


async def trigger_send(exchange: Exchange) -> Response:
    """Accept messages for up to 50 users, or with ``broadcast`` for all; 201 means accepted."""
    fault = exchange.workspace.faults.popleft() if exchange.workspace.faults else None
    early = await before_effect(exchange, fault)
    if early is not None:
        return early
    sent = decoded(exchange.body, _TRIGGER_SEND)
    _check(sent)
    if sent.broadcast:
        exchange.draw("broadcast")
        exchange.draw("broadcast audience")
    else:
        exchange.draw("default")
    call = _call(sent, exchange)
    exchange.workspace.accept(call)
    extra = {"dispatch_id": call.dispatch_id}
    if sent.send_id is not None:
        extra["send_id"] = sent.send_id
    return await after_effect(exchange, fault) or answer(201, "success", extra)


def _check(sent: TriggerSend) -> None:
    """Everything that is wrong with the call as a whole, or with any recipient, is a 400."""
    if not isinstance(sent.campaign_id, str):
        raise Refused("campaign_id must be a string of the campaign api identifier")
    if sent.campaign_id != CAMPAIGN_ID:
        raise Refused(f"Invalid Campaign ID: {sent.campaign_id}")
    if sent.audience is not None:
        raise Refused("audience is not simulated by this sandbox; name recipients or broadcast")
    if sent.broadcast and (sent.recipients is not None or sent.attachments is not None):
        raise Refused("broadcast true allows neither recipients nor attachments")
    if not sent.broadcast and not sent.recipients:
        raise Refused("No Recipients: name recipients, or set broadcast to true")
    if sent.send_id is not None and not (sent.send_id.isascii() and len(sent.send_id) <= 64):
        raise Refused("send_id must be at most 64 ASCII characters")
    if len(sent.recipients or ()) > MAX_RECIPIENTS:
        raise Refused("The max number of external_ids and aliases per request was exceeded")
    for index, recipient in enumerate(sent.recipients or ()):
        _check_recipient(recipient, index)


def _check_recipient(recipient: Recipient, index: int) -> None:
    given = (
        (recipient.external_user_id is not None)
        + (recipient.user_alias is not None)
        + (recipient.braze_id is not None)
        + (recipient.email is not None)
    )
    if given != 1:
        raise Refused(f"recipients[{index}] must have exactly one of {IDENTIFIERS}, not {given}")
    if recipient.email is not None and not recipient.prioritization:
        raise Refused(f"recipients[{index}] with email must have prioritization")
    if not recipient.send_to_existing_only and recipient.attributes is None:
        raise Refused(f"recipients[{index}] with send_to_existing_only false needs attributes")
    name = recipient.external_user_id
    if isinstance(name, str) and not 0 < len(name.encode()) <= MAX_EXTERNAL_ID_BYTES:
        raise Refused(f"recipients[{index}].external_user_id must have 1 to 987 bytes")


def _call(sent: TriggerSend, exchange: Exchange) -> SendCall:
    """Who gets what: the same user twice is one message, with the properties of the last entry."""
    workspace = exchange.workspace
    common = _properties(sent.trigger_properties, "trigger_properties")
    messages: dict[str, Message] = {}
    dropped: dict[str, None] = {}
    for index, recipient in enumerate(sent.recipients or ()):
        own = _properties(recipient.trigger_properties, f"recipients[{index}].trigger_properties")
        user, known = _user(recipient, workspace)
        if known:
            messages[user] = Message(user, {**common, **own})
        else:
            dropped[user] = None
    if sent.broadcast:
        messages = _everybody(workspace.external_ids, common)
    _write_attributes(sent.recipients or (), workspace)
    return SendCall(
        at=workspace.now,
        dispatch_id=uuid.uuid4().hex,
        campaign_id=CAMPAIGN_ID,
        request_id=exchange.request_id,
        messages=list(messages.values()),
        dropped=list(dropped),
    )


def _properties(raw: msgspec.Raw, where: str) -> dict[str, object]:
    """Trigger properties as a mapping; clients also send null or an empty string for none."""
    text = bytes(raw)
    if text in (b"", b"null", b'""'):
        return {}
    if len(text) > MAX_PROPERTIES_BYTES:
        raise Refused(f"{where} exceeds the maximum size of 50 KB")
    if not text.startswith(b"{"):
        raise Refused(f"{where} must be an object")
    return decoded(text, _PROPERTIES)


def _user(recipient: Recipient, workspace: Workspace) -> tuple[str, bool]:
    """The external id this recipient means, and whether a message can reach it."""
    if recipient.external_user_id is not None:
        name = str(recipient.external_user_id)
        return name, name in workspace.numbers or not recipient.send_to_existing_only
    if recipient.braze_id is not None:
        number = workspace.by_braze_id.get(recipient.braze_id)
        return (
            (recipient.braze_id, False)
            if number is None
            else (workspace.external_ids[number], True)
        )
    if recipient.email is not None:
        owner = workspace.owner_of(recipient.email)
        return ("(by email)", False) if owner is None else (owner, True)
    return "(by alias)", False


def _everybody(external_ids: Iterable[str], properties: dict[str, object]) -> dict[str, Message]:
    return {name: Message(name, properties) for name in external_ids}


def _write_attributes(recipients: Iterable[Recipient], workspace: Workspace) -> None:
    """``attributes`` of a recipient are written to the profile before the message goes out."""
    for recipient in recipients:
        name, known = _user(recipient, workspace)
        if recipient.attributes and known:
            number = workspace.numbers.get(name)
            number = workspace.create(name) if number is None else number
            workspace.attributes.setdefault(number, {}).update(recipient.attributes)
