"""Whom a call means: recipients one by one, an audience, or everybody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from opportune.sandbox.attributes import write_attributes
from opportune.sandbox.delivery import members
from opportune.sandbox.diary import Target
from opportune.sandbox.exchange import decoded
from opportune.sandbox.filters import Facts, Filter, parse_filter
from opportune.sandbox.model import Refused
from opportune.sandbox.workspace import Workspace

__all__ = [
    "MAX_RECIPIENTS",
    "Alias",
    "Recipient",
    "Targeting",
    "audience_of",
    "check_prioritization",
    "check_targeting",
    "prioritised",
    "properties_of",
    "targets_of",
    "write_recipients",
]

MAX_RECIPIENTS = 50
MAX_PROPERTIES_BYTES = 50_000
MAX_EXTERNAL_ID_BYTES = 987
IDENTIFIERS = "external_user_id, user_alias, braze_id or email"
PRIORITIES = ("identified", "unidentified", "most_recently_updated", "least_recently_updated")


class Alias(msgspec.Struct, frozen=True):
    """A second name of a user; within a label it names one user."""

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
    context: msgspec.Raw = msgspec.Raw()
    canvas_entry_properties: msgspec.Raw = msgspec.Raw()
    send_to_existing_only: bool = True
    attributes: dict[str, object] | None = None


class Targeting(msgspec.Struct, frozen=True, kw_only=True):
    """What the trigger calls have in common, as sent."""

    recipients: list[Recipient] | None = None
    broadcast: bool = False
    audience: dict[str, object] | None = None
    attachments: list[object] | None = None


def check_targeting(sent: Targeting) -> Filter | None:
    """Refuse what is wrong with whom a call means; give its audience."""
    if sent.broadcast and (sent.recipients is not None or sent.attachments is not None):
        raise Refused("broadcast true allows neither recipients nor attachments")
    if not sent.broadcast and not sent.recipients and sent.audience is None:
        raise Refused("No Recipients: name recipients, or set broadcast to true")
    if sent.recipients is not None and not sent.recipients:
        raise Refused("No Recipients: recipients must not be empty")
    if len(sent.recipients or ()) > MAX_RECIPIENTS:
        raise Refused("The max number of external_ids and aliases per request was exceeded")
    for index, recipient in enumerate(sent.recipients or ()):
        _check_recipient(recipient, index)
    return None if sent.audience is None else parse_filter(sent.audience)


def targets_of(
    workspace: Workspace,
    sent: Targeting,
    own: Sequence[Mapping[str, object]],
    common: Mapping[str, object],
    audience: Filter | None,
) -> Iterator[Target]:
    """Everybody the call means; ``own`` has the properties of each recipient."""
    if sent.recipients is None:
        for number in audience_of(workspace, "", audience):
            yield number, "", dict(common)
        return
    for recipient, properties in zip(sent.recipients, own, strict=True):
        found, label = _found(recipient, workspace)
        if found is not None and audience is not None and not _holds(workspace, found, audience):
            found = None
        yield found, label, {**common, **properties}


def audience_of(workspace: Workspace, segment_id: str, audience: Filter | None) -> Iterator[int]:
    """Everybody in the segment (empty: all users) whom the audience describes."""
    belongs = members(workspace, segment_id) if segment_id else None
    if audience is None:
        everybody = workspace.people.everybody()
        yield from everybody if belongs is None else filter(belongs, everybody)
        return
    for number, fields, custom in workspace.people.profiles():
        facts = Facts(fields=fields, custom=custom, now=workspace.now)
        if audience(facts) and (belongs is None or belongs(number)):
            yield number


def write_recipients(workspace: Workspace, recipients: Iterable[Recipient]) -> None:
    """``attributes`` of a recipient are written to the profile before the message goes out.

    Who is unknown is made, when the recipient says so.
    """
    for recipient in recipients:
        if recipient.attributes is None:
            continue
        number, _ = _found(recipient, workspace)
        name = recipient.external_user_id
        if number is None and name is not None and not recipient.send_to_existing_only:
            number = workspace.create(str(name))
        if number is not None:
            write_attributes(workspace.people, number, recipient.attributes)


def properties_of(raw: msgspec.Raw, where: str, index: int = -1) -> dict[str, object]:
    """Properties as a mapping; clients also send null or an empty string for none.

    ``where`` they stand, of the recipient ``index`` from 0, is told when they are wrong.
    """
    text = bytes(raw)
    if text in (b"", b"null", b'""'):
        return {}
    if len(text) <= MAX_PROPERTIES_BYTES and text.startswith(b"{"):
        return decoded(text, _PROPERTIES)
    place = where if index < 0 else f"recipients[{index}].{where}"
    if len(text) > MAX_PROPERTIES_BYTES:
        raise Refused(f"{place} exceeds the maximum size of 50 KB")
    raise Refused(f"{place} must be an object")


_PROPERTIES = msgspec.json.Decoder(dict[str, object])


def prioritised(workspace: Workspace, numbers: Sequence[int], order: Iterable[str]) -> int | None:
    """The one user that is meant of several with the same address; None for none or a tie."""
    people, left = workspace.people, list(numbers)
    for wish in order:
        if wish in ("identified", "unidentified"):
            named = wish == "identified"
            left = [n for n in left if (people.names[n] is not None) == named]
        elif left:
            best = max if wish == "most_recently_updated" else min
            at = best(people.changed(n) for n in left)
            left = [n for n in left if people.changed(n) == at]
    return left[0] if len(left) == 1 else None


def check_prioritization(order: Iterable[str] | None, where: str) -> None:
    """An address needs to be told who is meant."""
    if not order:
        raise Refused(f"{where} with email must have prioritization")
    given = list(order)
    if set(given) - set(PRIORITIES) or len(set(given)) < len(given):
        raise Refused(f"{where}.prioritization must be of {', '.join(PRIORITIES)}, each once")


def _check_recipient(recipient: Recipient, index: int) -> None:
    name = recipient.external_user_id
    given = (
        (name is not None)
        + (recipient.user_alias is not None)
        + (recipient.braze_id is not None)
        + (recipient.email is not None)
    )
    if given != 1:
        raise Refused(f"recipients[{index}] must have exactly one of {IDENTIFIERS}, not {given}")
    if recipient.email is not None:
        check_prioritization(recipient.prioritization, f"recipients[{index}]")
    if not recipient.send_to_existing_only and recipient.attributes is None:
        raise Refused(f"recipients[{index}] with send_to_existing_only false needs attributes")
    if isinstance(name, str) and not 0 < len(name.encode()) <= MAX_EXTERNAL_ID_BYTES:
        raise Refused(f"recipients[{index}].external_user_id must have 1 to 987 bytes")


def _found(recipient: Recipient, workspace: Workspace) -> tuple[int | None, str]:
    """The user this recipient means, if there is one, and how they were named."""
    people = workspace.people
    if recipient.external_user_id is not None:
        name = str(recipient.external_user_id)
        return people.numbers.get(name), name
    if recipient.braze_id is not None:
        return people.by_braze_id.get(recipient.braze_id), recipient.braze_id
    if recipient.email is not None:
        owners = people.with_email(recipient.email)
        return prioritised(workspace, owners, recipient.prioritization or ()), "(by email)"
    alias = recipient.user_alias
    key = ("", "") if alias is None else (alias.alias_label, alias.alias_name)
    return people.aliases.get(key), "(by alias)"


def _holds(workspace: Workspace, number: int, audience: Filter) -> bool:
    fields, custom = workspace.people.profile(number)
    return audience(Facts(fields=fields, custom=custom, now=workspace.now))
