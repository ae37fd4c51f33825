"""Who is who: aliases, identifying, merging and deleting users, and who wants no email."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from starlette.responses import Response

from opportune.sandbox.asked import descending, slice_of, time_asked
from opportune.sandbox.exchange import Exchange, answer, decoded
from opportune.sandbox.filters import STATES
from opportune.sandbox.model import Refused, braze_time
from opportune.sandbox.targeting import (
    MAX_EXTERNAL_ID_BYTES,
    Alias,
    check_prioritization,
    prioritised,
)
from opportune.sandbox.workspace import Workspace

__all__ = [
    "alias_new",
    "alias_update",
    "delete",
    "email_status",
    "email_unsubscribes",
    "identify",
    "merge",
]

MAX_IDS = 50
TOO_MANY = "The max number of ids per request was exceeded"


class _Addressed(msgspec.Struct, frozen=True):
    email: str
    prioritization: list[str]


class _Delete(msgspec.Struct, frozen=True):
    external_ids: list[str | int] | None = None
    user_aliases: list[Alias] | None = None
    braze_ids: list[str] | None = None
    email_addresses: list[_Addressed] | None = None
    phone_numbers: list[object] | None = None


class _NewAlias(msgspec.Struct, frozen=True):
    alias_name: str | None = None
    alias_label: str | None = None
    external_id: str | int | None = None
    user_alias: Alias | None = None


class _NewAliases(msgspec.Struct, frozen=True):
    user_aliases: list[_NewAlias]


class _Renamed(msgspec.Struct, frozen=True):
    alias_label: str
    old_alias_name: str
    new_alias_name: str


class _AliasUpdates(msgspec.Struct, frozen=True):
    alias_updates: list[_Renamed]


class _Identified(msgspec.Struct, frozen=True):
    external_id: str | int
    user_alias: Alias


class _Identify(msgspec.Struct, frozen=True):
    aliases_to_identify: list[_Identified]


class _Named(msgspec.Struct, frozen=True):
    external_id: str | int | None = None
    user_alias: Alias | None = None


class _MergeOne(msgspec.Struct, frozen=True):
    identifier_to_merge: _Named
    identifier_to_keep: _Named


class _Merge(msgspec.Struct, frozen=True):
    merge_updates: list[_MergeOne]


class _Status(msgspec.Struct, frozen=True):
    email: str | list[str]
    subscription_state: str


_DELETE = msgspec.json.Decoder(_Delete)
_NEW_ALIASES = msgspec.json.Decoder(_NewAliases)
_ALIAS_UPDATES = msgspec.json.Decoder(_AliasUpdates)
_IDENTIFY = msgspec.json.Decoder(_Identify)
_MERGE = msgspec.json.Decoder(_Merge)
_STATUS = msgspec.json.Decoder(_Status)


async def delete(exchange: Exchange) -> Response:
    """Delete up to 50 users, named in one way."""
    exchange.draw("identity")
    sent, workspace = decoded(exchange.body, _DELETE), exchange.workspace
    given = [name for name in _Delete.__struct_fields__ if getattr(sent, name) is not None]
    if len(given) != 1:
        ways = ", ".join(_Delete.__struct_fields__)
        raise Refused(f"exactly one of {ways} is required, not {len(given)}")
    _check_count(getattr(sent, given[0]))
    people = workspace.people
    found: set[int | None] = {people.numbers.get(str(name)) for name in sent.external_ids or ()}
    found |= {_owner(workspace, alias) for alias in sent.user_aliases or ()}
    found |= {people.by_braze_id.get(name) for name in sent.braze_ids or ()}
    for index, one in enumerate(sent.email_addresses or ()):
        check_prioritization(one.prioritization, f"email_addresses[{index}]")
        owners = people.with_email(one.email)
        found.add(prioritised(workspace, owners, one.prioritization))
    for phone in sent.phone_numbers or ():
        number = phone.get("phone") if isinstance(phone, dict) else phone
        found.update(people.with_phone(str(number)))
    gone = sorted(number for number in found if number is not None)
    for number in gone:
        people.remove(number)
    return answer(201, "success", {"deleted": len(gone)})


async def alias_new(exchange: Exchange) -> Response:
    """Give users aliases; without an external id, make users that have only an alias."""
    exchange.draw("identity")
    sent, workspace = decoded(exchange.body, _NEW_ALIASES), exchange.workspace
    _check_count(sent.user_aliases)
    people, processed = workspace.people, 0
    for index, one in enumerate(sent.user_aliases):
        flat = Alias(one.alias_name or "", one.alias_label or "")
        alias = one.user_alias or flat
        if not alias.alias_name or not alias.alias_label:
            raise Refused(f"user_aliases[{index}] needs an alias_name and an alias_label")
        key = (alias.alias_label, alias.alias_name)
        if key in people.aliases:
            continue
        if one.external_id is None:
            number: int | None = workspace.create(None)
        else:
            number = people.numbers.get(str(one.external_id))
        if number is not None and not _labelled(workspace, number, alias.alias_label):
            people.name_alias(key, number)
            processed += 1
    return answer(201, "success", {"aliases_processed": processed})


async def alias_update(exchange: Exchange) -> Response:
    """Give aliases other names."""
    exchange.draw("identity")
    sent, people = decoded(exchange.body, _ALIAS_UPDATES), exchange.workspace.people
    _check_count(sent.alias_updates)
    for one in sent.alias_updates:
        taken = (one.alias_label, one.new_alias_name) in people.aliases
        if not taken and (one.alias_label, one.old_alias_name) in people.aliases:
            owner = people.aliases[one.alias_label, one.old_alias_name]
            people.name_alias((one.alias_label, one.old_alias_name), None)
            people.name_alias((one.alias_label, one.new_alias_name), owner)
    return answer(201, "success", {"aliases_updated": len(sent.alias_updates)})


async def identify(exchange: Exchange) -> Response:
    """Give users that have only an alias an external id; no match is no error."""
    exchange.draw("identity")
    sent, workspace = decoded(exchange.body, _IDENTIFY), exchange.workspace
    _check_count(sent.aliases_to_identify)
    for index, one in enumerate(sent.aliases_to_identify):
        name = str(one.external_id)
        if not 0 < len(name.encode()) <= MAX_EXTERNAL_ID_BYTES:
            raise Refused(f"aliases_to_identify[{index}].external_id must have 1 to 987 bytes")
    people, processed = workspace.people, 0
    for one in sent.aliases_to_identify:
        name, number = str(one.external_id), _owner(workspace, one.user_alias)
        if number is None or people.names[number] is not None:
            continue
        processed += 1
        if name in people.numbers:
            _merge(workspace, number, people.numbers[name])
        else:
            people.names[number] = name
            people.numbers[name] = number
            people.braze_ids.setdefault(number, people.braze_id_of(number))
            people.touch(number)
    return answer(201, "success", {"aliases_processed": processed})


async def merge(exchange: Exchange) -> Response:
    """Make one user of two: what the kept one lacks comes from the other, who is gone then."""
    exchange.draw("identity")
    sent, workspace = decoded(exchange.body, _MERGE), exchange.workspace
    _check_count(sent.merge_updates)
    for one in sent.merge_updates:
        gone, kept = (
            _named(workspace, of) for of in (one.identifier_to_merge, one.identifier_to_keep)
        )
        if gone is not None and kept is not None and gone != kept:
            _merge(workspace, gone, kept)
    return answer(201, "success")


async def email_status(exchange: Exchange) -> Response:
    """Set the subscription state of addresses; unknown ones are accepted, too."""
    exchange.draw("default")
    sent, workspace = decoded(exchange.body, _STATUS), exchange.workspace
    addresses = [sent.email] if isinstance(sent.email, str) else sent.email
    _check_count(addresses)
    if sent.subscription_state not in STATES:
        raise Refused(f"subscription_state must be one of {', '.join(STATES)}")
    for address in addresses:
        for number in workspace.people.with_email(address):
            workspace.people.write(number, {"email_subscribe": sent.subscription_state})
        if sent.subscription_state == "unsubscribed":
            workspace.unsubscribed_at[address] = workspace.now
        else:
            workspace.unsubscribed_at.pop(address, None)
    return answer(201, "success")


async def email_unsubscribes(exchange: Exchange) -> Response:
    """Unsubscribed addresses by the time they unsubscribed, the newest first."""
    exchange.draw("default")
    query, workspace = exchange.request.query_params, exchange.workspace
    begin, end = time_asked(query, "start_date"), time_asked(query, "end_date")
    newest_first = "sort_direction" not in query or descending(query)
    wanted = query.get("email")
    found = [
        (at, address)
        for address, at in _unsubscribes(workspace).items()
        if (begin is None or at >= begin)
        and (end is None or at.date() <= end.date())
        and wanted in (None, address)
    ]
    rows = slice_of(query, sorted(found, reverse=newest_first), most=500)
    shown = [{"email": address, "unsubscribed_at": braze_time(at)} for at, address in rows]
    return answer(200, "success", {"emails": shown})


def _unsubscribes(workspace: Workspace) -> dict[str, datetime]:
    """When each address unsubscribed; now, where only the profile says that it did."""
    known = dict(workspace.unsubscribed_at)
    for number in workspace.people.closed["email"]:
        address = workspace.people.email_of(number)
        if address is not None:
            known.setdefault(address, workspace.now)
    return known


def _check_count(given: Sequence[object]) -> None:
    if len(given) > MAX_IDS:
        raise Refused(TOO_MANY)


def _owner(workspace: Workspace, alias: Alias) -> int | None:
    return workspace.people.aliases.get((alias.alias_label, alias.alias_name))


def _named(workspace: Workspace, of: _Named) -> int | None:
    if (of.external_id is None) == (of.user_alias is None):
        raise Refused("an identifier must have exactly one of external_id and user_alias")
    if of.user_alias is not None:
        return _owner(workspace, of.user_alias)
    return workspace.people.numbers.get(str(of.external_id))


def _labelled(workspace: Workspace, number: int, label: str) -> bool:
    """Whether the user has an alias of this label already: one label, one alias."""
    return any(key[0] == label for key in workspace.people.aliases_of(number))


def _merge(workspace: Workspace, gone: int, kept: int) -> None:
    people = workspace.people
    for facts in (people.fields, people.custom):
        facts[kept] = {**facts.get(gone, {}), **facts.get(kept, {})}
    people.write(kept, people.fields[kept])
    for counts in (people.events, people.purchases):
        mine = counts.setdefault(kept, {})
        for name, counted in counts.get(gone, {}).items():
            if name in mine:
                mine[name].add(counted.first, 0)
                mine[name].add(counted.last, counted.count)
            else:
                mine[name] = counted
    people.revenue[kept] = people.revenue.get(kept, 0.0) + people.revenue.get(gone, 0.0)
    for key in people.aliases_of(gone):
        people.name_alias(key, kept)
    people.remove(gone)
