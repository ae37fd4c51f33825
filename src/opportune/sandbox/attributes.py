"""What attributes do to a profile: set, take away, count up, add to a list and remove from it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from opportune.sandbox.filters import STATES
from opportune.sandbox.people import RESERVED, People

__all__ = ["attribute_problem", "write_attributes"]

MAX_ITEMS = 500
IDENTIFYING = frozenset(
    ("external_id", "user_alias", "braze_id", "_update_existing_only", "push_token_import")
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_GENDERS = ("M", "F", "O", "N", "P", None)
_TEXTS = ("first_name", "last_name", "country", "language", "time_zone", "dob", "home_city")


def attribute_problem(given: Mapping[str, object]) -> str | None:
    """Why these attributes cannot be taken, or None."""
    email = given.get("email")
    if email is not None and not (isinstance(email, str) and _EMAIL.fullmatch(email)):
        return "The value provided for the 'email' field is not a valid email."
    for name in ("email_subscribe", "push_subscribe"):
        if name in given and given[name] not in STATES:
            return f"'{name}' must be one of {', '.join(STATES)}"
    if given.get("gender") not in _GENDERS:
        return "'gender' must be one of M, F, O, N, P"
    for name in (*_TEXTS, "phone"):
        if not isinstance(given.get(name), str | None):
            return f"'{name}' is not valid"
    place = given.get("current_location")
    if place is not None and not _is_place(place):
        return "BAD_LOCATION_UPDATE"
    return _groups_problem(given.get("subscription_groups"))


def write_attributes(people: People, number: int, given: Mapping[str, object]) -> None:
    """Write attributes that were found good to a profile."""
    fields = {name: value for name, value in given.items() if name in RESERVED}
    groups = fields.get("subscription_groups")
    if isinstance(groups, list):
        fields["subscription_groups"] = _merged(people, number, groups)
    people.write(number, fields)
    own = {k: v for k, v in given.items() if k not in RESERVED and k not in IDENTIFYING}
    if not own:
        return
    before = people.profile(number)[1] if any(map(_is_change, own.values())) else {}
    custom = people.custom.setdefault(number, {})
    for name, value in own.items():
        custom[name] = _changed(before.get(name), value) if _is_change(value) else value


def _merged(people: People, number: int, groups: list[object]) -> list[dict[str, object]]:
    """The states of all subscription groups, each group once with what was said last."""
    before = people.fields.get(number, {}).get("subscription_groups")
    said = [*(before if isinstance(before, list) else []), *groups]
    states = {one["subscription_group_id"]: one["subscription_state"] for one in said}
    return [
        {"subscription_group_id": group, "subscription_state": state}
        for group, state in states.items()
    ]


def _is_place(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(value.get(name), int | float) and abs(value[name]) <= limit
        for name, limit in (("longitude", 180), ("latitude", 90))
    )


def _groups_problem(groups: object) -> str | None:
    if groups is None:
        return None
    if not isinstance(groups, list):
        return "BAD_SUBSCRIPTION_GROUP_ARRAY"
    for one in groups:
        if not isinstance(one, dict):
            return "BAD_SUBSCRIPTION_GROUP_HASH"
        if not isinstance(one.get("subscription_group_id"), str):
            return "BAD_SUBSCRIPTION_GROUP_ID"
        if one.get("subscription_state") not in ("subscribed", "unsubscribed"):
            return "BAD_SUBSCRIPTION_GROUP_STATE"
    return None


_CHANGES = ("inc", "add", "remove", "update", "$add", "$remove", "$update")


def _is_change(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and all(key in _CHANGES for key in value)


def _changed(before: object, change: object) -> object:
    """A value after ``{"inc": n}``, ``{"add": [...]}``, ``{"$update": [...]}`` and the like."""
    if not isinstance(change, dict):
        return change
    value = before
    for verb, given in change.items():
        if verb in ("inc", "update"):
            by = given if isinstance(given, int | float) and not isinstance(given, bool) else 0
            had = value if isinstance(value, int | float) and not isinstance(value, bool) else 0
            value = had + by
            continue
        had_items = list(value) if isinstance(value, list) else []
        items = given if isinstance(given, list) else [given]
        if verb == "add":
            value = [*had_items, *(one for one in items if one not in had_items)][-MAX_ITEMS:]
        elif verb == "remove":
            value = [one for one in had_items if one not in items]
        elif verb == "$add":
            value = [*had_items, *items]
        else:
            value = _objects_changed(had_items, items, verb == "$remove")
    return value


def _objects_changed(had: list[object], changes: list[object], remove: bool) -> list[object]:
    """Objects of a list, found by ``$identifier_key`` and value, changed or removed."""
    kept = had
    for change in changes:
        if not isinstance(change, dict):
            continue
        key, wanted = change.get("$identifier_key"), change.get("$identifier_value")
        after: list[object] = []
        for one in kept:
            if not (isinstance(one, dict) and one.get(key) == wanted):
                after.append(one)
            elif not remove:
                new = change.get("$new_object")
                after.append({**one, **new} if isinstance(new, dict) else one)
        kept = after
    return kept
