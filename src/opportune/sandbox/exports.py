"""Reading profiles: ``/users/export/ids`` at once, and one user as any export shows them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta

import msgspec
from starlette.responses import Response

from opportune.sandbox.exchange import Exchange, answer, decoded
from opportune.sandbox.model import Refused, braze_time
from opportune.sandbox.people import Counted
from opportune.sandbox.targeting import Alias
from opportune.sandbox.workspace import Workspace

__all__ = ["FIELDS", "check_fields", "export_ids", "exported"]

MAX_IDS = 50
KEPT_DAYS = 90  # what was received or done is listed this far back
RECEIVED = ("campaigns_received", "canvases_received")
_FIELDS = (
    "apps attributed_campaign attributed_source attributed_adgroup attributed_ad push_subscribe "
    "email_subscribe braze_id country created_at created_from custom_attributes custom_events "
    "devices dob email external_id first_name gender home_city language last_coordinates "
    "last_name phone purchases push_tokens random_bucket time_zone total_revenue uninstalled_at "
    "user_aliases campaigns_received canvases_received cards_clicked"
)
FIELDS = frozenset(_FIELDS.split())
ENGAGED = ("opened_email", "clicked_email", "opened_push")


class ExportIds(msgspec.Struct, frozen=True):
    """The body of an export, as sent."""

    external_ids: list[str | int] | None = None
    user_aliases: list[Alias] | None = None
    device_id: str | None = None
    braze_id: str | None = None
    email_address: str | None = None
    phone: str | None = None
    fields_to_export: list[str] | None = None


_EXPORT_IDS = msgspec.json.Decoder(ExportIds)


async def export_ids(exchange: Exchange) -> Response:
    """Read up to 50 profiles: also how to find out whether a message was accepted for a user."""
    asked = decoded(exchange.body, _EXPORT_IDS)
    fields = asked.fields_to_export
    heavy = not fields or any(name in fields for name in RECEIVED)
    exchange.draw("export" if heavy else "export light")
    check_fields(fields)
    if len(asked.external_ids or ()) + len(asked.user_aliases or ()) > MAX_IDS:
        raise Refused("The max number of ids per request was exceeded")
    workspace = exchange.workspace
    numbers, missing = _found(asked, workspace)
    extra: dict[str, object] = {
        "users": [
            exported(workspace, number, workspace.people.profile(number), fields)
            for number in numbers
        ]
    }
    if missing:
        extra["invalid_user_ids"] = missing
    return answer(201, "success", extra)


def check_fields(fields: Collection[str] | None) -> None:
    """Refuse fields that no export has."""
    unknown = sorted(set(fields or ()) - FIELDS)
    if unknown:
        raise Refused(f"fields_to_export has unknown fields: {', '.join(unknown[:5])}")


def _found(asked: ExportIds, workspace: Workspace) -> tuple[list[int], list[str]]:
    people = workspace.people
    if asked.external_ids is not None or asked.user_aliases is not None:
        names = list(dict.fromkeys(str(name) for name in asked.external_ids or ()))
        missing = [name for name in names if name not in people.numbers]
        found = [people.numbers[name] for name in names if name in people.numbers]
        for one in asked.user_aliases or ():
            owner = people.aliases.get((one.alias_label, one.alias_name))
            if owner is not None and owner not in found:
                found.append(owner)
        return found, missing
    if asked.braze_id is not None:
        number = people.by_braze_id.get(asked.braze_id)
        return ([], [asked.braze_id]) if number is None else ([number], [])
    if asked.email_address is not None:
        return people.with_email(asked.email_address), []
    if asked.phone is not None:
        return people.with_phone(asked.phone), []
    if asked.device_id is None:
        raise Refused(
            "external_ids, user_aliases, device_id, braze_id, email_address or phone is required"
        )
    return [], []


def exported(
    workspace: Workspace,
    number: int,
    profile: tuple[Mapping[str, object], Mapping[str, object]],
    fields: Collection[str] | None,
    custom: Collection[str] | None = None,
) -> dict[str, object]:
    """The export object of one user; fields that are empty are left out.

    ``custom`` names the custom attributes to take when ``fields`` has not all of them.
    """
    known, attributes = profile
    found: dict[str, object] = {}
    for name in FIELDS if fields is None else fields:
        if name in _MADE:
            value: object = _MADE[name](workspace, number)
        elif name == "custom_attributes":
            value = attributes
        else:
            value = known.get(name)
        if value not in (None, [], {}):
            found[name] = value
    if "braze_id" in found:
        found["appboy_id"] = found["braze_id"]
    if custom and "custom_attributes" not in found:
        picked = {name: attributes[name] for name in custom if name in attributes}
        if picked:
            found["custom_attributes"] = picked
    return found


def _coordinates(workspace: Workspace, number: int) -> object:
    place = workspace.people.fields.get(number, {}).get("current_location")
    return [place["longitude"], place["latitude"]] if isinstance(place, dict) else None


def _counted(counts: Mapping[str, Counted] | None) -> list[dict[str, object]]:
    return [
        {
            "name": name,
            "first": braze_time(one.first),
            "last": braze_time(one.last),
            "count": one.count,
        }
        for name, one in sorted((counts or {}).items())
    ]


def _campaigns(workspace: Workspace, number: int) -> list[dict[str, object]]:
    listed = []
    for campaign in workspace.catalogue.campaigns.values():
        receipt = workspace.received.get(campaign.id, {}).get(number)
        if receipt is None or workspace.now - receipt[0] > timedelta(days=KEPT_DAYS):
            continue
        way = workspace.ways[receipt[1]]
        variation = next((v for v in campaign.variations if v.id == way.variation_id), None)
        one: dict[str, object] = {
            "name": campaign.name,
            "api_campaign_id": campaign.id,
            "last_received": braze_time(receipt[0]),
            "engaged": {
                name: True for name in ENGAGED if _has(workspace, (campaign.id, name), number)
            },
            "converted": _has(workspace, (campaign.id, "converted"), number),
        }
        if variation is not None:
            one |= {"variation_name": variation.name, "variation_api_id": variation.id}
        listed.append(one)
    return listed


def _canvases(workspace: Workspace, number: int) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = []
    for canvas in workspace.catalogue.canvases.values():
        entered = workspace.entered.get(canvas.id, {}).get(number)
        receipt = workspace.received.get(canvas.id, {}).get(number)
        last = receipt[0] if receipt else entered
        if last is None or workspace.now - last > timedelta(days=KEPT_DAYS):
            continue
        steps = [
            {
                "name": step.name,
                "api_canvas_step_id": step.id,
                "last_received": braze_time(at),
            }
            for step in canvas.steps
            if (at := workspace.stepped.get((canvas.id, step.id), {}).get(number)) is not None
        ]
        listed.append(
            {
                "name": canvas.name,
                "api_canvas_id": canvas.id,
                "last_received_message": braze_time(receipt[0]) if receipt else None,
                "last_entered": braze_time(entered) if entered else None,
                "last_exited": None,
                "in_control": False,
                "last_entered_control_at": None,
                "steps_received": steps,
            }
        )
    return listed


def _has(workspace: Workspace, key: tuple[str, str], number: int) -> bool:
    return number in workspace.flags.get(key, ())


_MADE: Mapping[str, Callable[[Workspace, int], object]] = {
    "user_aliases": lambda workspace, number: [
        {"alias_name": name, "alias_label": label}
        for label, name in workspace.people.aliases_of(number)
    ],
    "last_coordinates": _coordinates,
    "total_revenue": lambda workspace, number: workspace.people.revenue.get(number),
    "custom_events": lambda workspace, number: _counted(workspace.people.events.get(number)),
    "purchases": lambda workspace, number: _counted(workspace.people.purchases.get(number)),
    "campaigns_received": _campaigns,
    "canvases_received": _canvases,
}
