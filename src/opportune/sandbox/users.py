"""``/users/track``: attributes, events and purchases, judged one by one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec
from starlette.responses import Response

from opportune.sandbox.attributes import attribute_problem, write_attributes
from opportune.sandbox.exchange import Exchange, answer, decoded
from opportune.sandbox.model import Refused
from opportune.sandbox.people import Counted
from opportune.sandbox.targeting import MAX_EXTERNAL_ID_BYTES
from opportune.sandbox.workspace import Workspace

__all__ = ["track"]

MAX_OBJECTS = 75
MAX_NAME = 255
_CURRENCY = re.compile(r"[A-Z]{3}")
_NOTHING = "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields."


class Track(msgspec.Struct, frozen=True):
    """The body of ``/users/track``; its objects are judged one by one."""

    attributes: list[object] | None = None
    events: list[object] | None = None
    purchases: list[object] | None = None


_TRACK = msgspec.json.Decoder(Track)


async def track(exchange: Exchange) -> Response:
    """Write what is good of each array, list what is not; 400 when nothing is good."""
    exchange.draw("track")
    sent = decoded(exchange.body, _TRACK)
    if sent.attributes is sent.events is sent.purchases is None:
        raise Refused(_NOTHING)
    arrays = {
        "attributes": sent.attributes or [],
        "events": sent.events or [],
        "purchases": sent.purchases or [],
    }
    _check_size([len(objects) for objects in arrays.values()], exchange.config.objects_per_array)
    errors: list[dict[str, object]] = []
    processed: dict[str, object] = {}
    for array, objects in arrays.items():
        good = 0
        for index, given in enumerate(objects):
            problem = _problem(array, given)
            if exchange.partial and problem is None:
                exchange.partial, problem = False, "the object could not be processed"
            if problem is None and isinstance(given, dict):
                good += 1
                _write(array, given, exchange.workspace)
            else:
                errors.append({"type": problem, "input_array": array, "index": index})
        if good:
            processed[f"{array}_processed"] = good
    if errors and not processed:
        return answer(400, _NOTHING, {"errors": errors})
    return answer(201, "success", processed | ({"errors": errors} if errors else {}))


def _check_size(sizes: list[int], per_array: bool) -> None:
    if per_array and max(sizes) > MAX_OBJECTS:
        raise Refused(f"Max Input Length Exceeded: at most {MAX_OBJECTS} objects in an array")
    if not per_array and sum(sizes) > MAX_OBJECTS:
        raise Refused(f"Max Input Length Exceeded: at most {MAX_OBJECTS} objects in total")


def _problem(array: str, given: object) -> str | None:
    """Why this object cannot be taken, or None."""
    if not isinstance(given, dict):
        return "the object is not valid"
    return _identity_problem(given) or _JUDGES[array](given)


def _identity_problem(given: Mapping[str, object]) -> str | None:
    primary = sum(given.get(key) is not None for key in ("external_id", "user_alias", "braze_id"))
    if primary > 1:
        return "only one of 'external_id', 'braze_id' or 'user_alias' is allowed"
    if primary == 0 and not (given.get("email") or given.get("phone")):
        return "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required"
    name = given.get("external_id")
    if isinstance(name, bool) or not isinstance(name, str | int | None) or name == "":
        return "'external_id' is not valid"
    if name is not None and len(str(name).encode()) > MAX_EXTERNAL_ID_BYTES:
        return "EXTERNAL_USER_ID_TOO_LARGE"
    alias = given.get("user_alias")
    if alias is not None and _alias_key(alias) is None:
        return "'user_alias' needs an alias_name and an alias_label"
    if not isinstance(given.get("braze_id"), str | None):
        return "'braze_id' is not valid"
    if primary == 0 and not isinstance(given.get("email"), str | None):
        return "The value provided for the 'email' field is not a valid email."
    if not isinstance(given.get("_update_existing_only"), bool | None):
        return "'_update_existing_only' is not valid"
    return None


def _event_problem(given: Mapping[str, object]) -> str | None:
    name = given.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
        return "'name' is not valid"
    if _time(given.get("time")) is None:
        return "'time' is not valid"
    properties = given.get("properties")
    if properties is None:
        return None
    if not isinstance(properties, dict):
        return "'properties' is not valid"
    for key in properties:
        if len(key) > MAX_NAME or key.startswith("$") or key in ("", "time", "event_name"):
            return f"the property name {key[:40]!r} is not valid"
    return None


def _purchase_problem(given: Mapping[str, object]) -> str | None:
    quantity = given.get("quantity", 1)
    if type(quantity) is not int or not 1 <= quantity <= 100:
        return "'quantity' is not valid"
    product = given.get("product_id")
    if type(product) not in (str, int) or not 0 < len(str(product)) <= MAX_NAME:
        return "'product_id' is not valid"
    currency = given.get("currency")
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        return "'currency' is not valid"
    if type(given.get("price")) not in (int, float):
        return "'price' is not valid"
    if not isinstance(given.get("properties"), dict | None):
        return "'properties' is not valid"
    return "'time' is not valid" if _time(given.get("time")) is None else None


_JUDGES: Mapping[str, Callable[[Mapping[str, object]], str | None]] = {
    "attributes": attribute_problem,
    "events": _event_problem,
    "purchases": _purchase_problem,
}


def _write(array: str, given: Mapping[str, object], workspace: Workspace) -> None:
    """Keep what the object says of its user, who is created when new."""
    number = _user(given, workspace)
    if number is None:
        return
    people = workspace.people
    if array == "attributes":
        write_attributes(people, number, given)
        return
    at = min(_time(given.get("time")) or workspace.now, workspace.now)
    people.touch(number)
    if array == "events":
        _count(people.events.setdefault(number, {}), str(given["name"]), at, 1)
        return
    quantity, price = given.get("quantity", 1), given["price"]
    if isinstance(quantity, int) and isinstance(price, int | float):
        _count(people.purchases.setdefault(number, {}), str(given["product_id"]), at, quantity)
        people.revenue[number] = people.revenue.get(number, 0.0) + float(price) * quantity


def _count(counts: dict[str, Counted], name: str, at: datetime, count: int) -> None:
    if name in counts:
        counts[name].add(at, count)
    else:
        counts[name] = Counted(first=at, last=at, count=count)


def _user(given: Mapping[str, object], workspace: Workspace) -> int | None:
    """The user an object is about; None when they are unknown and shall not be made.

    Unknown users are made unless ``_update_existing_only``; with an alias it is the other way.
    """
    people, only = workspace.people, given.get("_update_existing_only")
    alias = _alias_key(given.get("user_alias"))
    if alias is not None:
        number = people.aliases.get(alias)
        if number is None and only is False:
            number = workspace.create(None)
            people.name_alias(alias, number)
        return number
    if given.get("external_id") is not None:
        name = str(given["external_id"])
        number = people.numbers.get(name)
        return workspace.create(name) if number is None and only is not True else number
    if given.get("braze_id") is not None:
        return people.by_braze_id.get(str(given["braze_id"]))
    email, phone = given.get("email"), given.get("phone")
    found = people.with_email(str(email)) if email else people.with_phone(str(phone))
    if found:
        return max(found, key=people.changed)
    return None if only is True else workspace.create(None)


def _alias_key(alias: object) -> tuple[str, str] | None:
    if not isinstance(alias, dict):
        return None
    label, name = alias.get("alias_label"), alias.get("alias_name")
    if not (isinstance(label, str) and isinstance(name, str) and label and name):
        return None
    return label, name


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
