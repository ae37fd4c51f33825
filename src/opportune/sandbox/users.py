"""``/users/export/ids`` and ``/users/track``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

import msgspec
from starlette.responses import Response

from opportune.sandbox.exchange import Exchange, answer, decoded
from opportune.sandbox.messaging import Alias
from opportune.sandbox.model import CAMPAIGN_ID, CAMPAIGN_NAME, Refused, braze_time
from opportune.sandbox.workspace import Workspace, braze_id

__all__ = ["export_ids", "track"]

MAX_IDS = 50
MAX_OBJECTS = 75
KEPT_DAYS = 90  # campaigns_received goes back this far
RECEIVED = ("campaigns_received", "canvases_received")
_FIELDS = (
    "apps attributed_campaign attributed_source attributed_adgroup attributed_ad push_subscribe "
    "email_subscribe braze_id country created_at created_from custom_attributes custom_events "
    "devices dob email external_id first_name gender home_city language last_coordinates "
    "last_name phone purchases push_tokens random_bucket time_zone total_revenue uninstalled_at "
    "user_aliases campaigns_received canvases_received cards_clicked"
)
FIELDS = frozenset(_FIELDS.split())
PROFILE_FIELDS = FIELDS - {"custom_attributes", "braze_id", "external_id", *RECEIVED}
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


class Track(msgspec.Struct, frozen=True):
    """The body of ``/users/track``; its objects are judged one by one."""

    attributes: list[object] = []
    events: list[object] = []
    purchases: list[object] = []


_EXPORT_IDS = msgspec.json.Decoder(ExportIds)
_TRACK = msgspec.json.Decoder(Track)


async def export_ids(exchange: Exchange) -> Response:
    """Read up to 50 profiles: also how to find out whether a message was accepted for a user."""
    asked = decoded(exchange.body, _EXPORT_IDS)
    fields = asked.fields_to_export
    exchange.draw(
        "export" if not fields or any(name in fields for name in RECEIVED) else "export light"
    )
    unknown = sorted(set(fields or ()) - FIELDS)
    if unknown:
        raise Refused(f"fields_to_export has unknown fields: {', '.join(unknown[:5])}")
    if len(asked.external_ids or ()) + len(asked.user_aliases or ()) > MAX_IDS:
        raise Refused("The max number of ids per request was exceeded")
    numbers, missing = _found(asked, exchange.workspace)
    users = [_exported(exchange.workspace, number, fields) for number in numbers]
    extra: dict[str, object] = {"users": users}
    if missing:
        extra["invalid_user_ids"] = missing
    return answer(201, "success", extra)


def _found(asked: ExportIds, workspace: Workspace) -> tuple[list[int], list[str]]:
    if asked.external_ids is not None or asked.user_aliases is not None:
        names = list(dict.fromkeys(str(name) for name in asked.external_ids or ()))
        missing = [name for name in names if name not in workspace.numbers]
        return [workspace.numbers[name] for name in names if name in workspace.numbers], missing
    if asked.braze_id is not None:
        number = workspace.by_braze_id.get(asked.braze_id)
        return ([], [asked.braze_id]) if number is None else ([number], [])
    if asked.email_address is not None:
        owner = workspace.owner_of(asked.email_address)
        return ([], []) if owner is None else ([workspace.numbers[owner]], [])
    if asked.device_id is None and asked.phone is None:
        raise Refused(
            "external_ids, user_aliases, device_id, braze_id, email_address or phone is required"
        )
    return [], []


def _exported(workspace: Workspace, number: int, fields: Iterable[str] | None) -> dict[str, object]:
    """The export object of one user; fields that are empty are left out."""
    name = workspace.external_ids[number]
    written = workspace.attributes.get(number, {})
    profile: dict[str, object] = {"external_id": name, "braze_id": braze_id(name)}
    profile |= {key: value for key, value in written.items() if key in PROFILE_FIELDS}
    traits = workspace.traits_of(number)
    profile.setdefault("email", traits.pop("email", None))
    custom = traits | {key: value for key, value in written.items() if key not in PROFILE_FIELDS}
    profile["custom_attributes"] = custom
    profile["campaigns_received"] = _received(workspace, number)
    return {
        key: value
        for key, value in profile.items()
        if value not in (None, [], {}) and (fields is None or key in fields)
    }


def _received(workspace: Workspace, number: int) -> list[dict[str, object]]:
    last = workspace.last_received.get(number)
    if last is None or workspace.now - last > timedelta(days=KEPT_DAYS):
        return []
    flags = {name for name, numbers in workspace.flags.items() if number in numbers}
    return [
        {
            "name": CAMPAIGN_NAME,
            "api_campaign_id": CAMPAIGN_ID,
            "last_received": braze_time(last),
            "engaged": {name: True for name in ENGAGED if name in flags},
            "converted": "converted" in flags,
        }
    ]


async def track(exchange: Exchange) -> Response:
    """Write attributes; count events and purchases. Wrong objects are listed, good ones kept."""
    exchange.draw("track")
    sent = decoded(exchange.body, _TRACK)
    arrays = {"attributes": sent.attributes, "events": sent.events, "purchases": sent.purchases}
    if sum(map(len, arrays.values())) > MAX_OBJECTS:
        raise Refused(f"Max Input Length Exceeded: at most {MAX_OBJECTS} objects in total")
    errors: list[dict[str, object]] = []
    processed: dict[str, object] = {}
    for array, objects in arrays.items():
        good = 0
        for index, given in enumerate(objects):
            problem = _problem(array, given)
            if problem is None:
                good += 1
                _write(array, given, exchange.workspace)
            else:
                errors.append({"type": problem, "input_array": array, "index": index})
        if good:
            processed[f"{array}_processed"] = good
    if errors and not processed:
        wanted = "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields."
        return answer(400, wanted, {"errors": errors})
    return answer(201, "success", processed | ({"errors": errors} if errors else {}))


def _problem(array: str, given: object) -> str | None:
    """Why this object cannot be taken, or None."""
    if not isinstance(given, dict):
        return "the object is not valid"
    primary = sum(given.get(key) is not None for key in ("external_id", "user_alias", "braze_id"))
    if primary > 1:
        return "only one of 'external_id', 'braze_id' or 'user_alias' is allowed"
    if primary == 0 and not (given.get("email") or given.get("phone")):
        return "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required"
    if array == "events":
        return _missing(given, {"name": str, "time": str})
    if array == "purchases":
        quantity = given.get("quantity", 1)
        if type(quantity) is not int or not 1 <= quantity <= 100:
            return "'quantity' is not valid"
        return _missing(
            given,
            {"product_id": (str, int), "currency": str, "price": (int, float), "time": str},
        )
    return None


def _missing(
    given: Mapping[str, object], wanted: Mapping[str, type | tuple[type, ...]]
) -> str | None:
    for key, kind in wanted.items():
        if not isinstance(given.get(key), kind):
            return f"'{key}' is not valid"
    return None


def _write(array: str, given: object, workspace: Workspace) -> None:
    """Keep what the object says of its user, who is created when new."""
    if not isinstance(given, dict) or not isinstance(given.get("external_id"), (str, int)):
        return
    name = str(given["external_id"])
    number = workspace.numbers.get(name)
    if number is None and given.get("_update_existing_only") is True:
        return
    number = workspace.create(name) if number is None else number
    if array == "attributes":
        written = {
            k: v for k, v in given.items() if k not in ("external_id", "_update_existing_only")
        }
        workspace.attributes.setdefault(number, {}).update(written)
