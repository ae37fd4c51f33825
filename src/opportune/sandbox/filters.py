"""Whom an ``audience`` or a segment describes: filters joined by AND and OR."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from opportune.sandbox.model import Refused

__all__ = ["Facts", "Filter", "in_words", "parse_filter"]

MAX_DEPTH = 20
STATES = ("opted_in", "subscribed", "unsubscribed")
_COMPARED: Mapping[str, Callable[[float, float], bool]] = {
    "greater_than": lambda have, wanted: have > wanted,
    "greater_than_or_equal_to": lambda have, wanted: have >= wanted,
    "less_than": lambda have, wanted: have < wanted,
    "less_than_or_equal_to": lambda have, wanted: have <= wanted,
}
_TIMES = frozenset(
    (
        "less_than_x_days_ago",
        "greater_than_x_days_ago",
        "less_than_x_days_in_the_future",
        "greater_than_x_days_in_the_future",
        "after",
        "before",
    )
)
_COMPARISONS = frozenset(
    (
        *("equals", "not_equal", "matches_regex", "does_not_match_regex", "exists"),
        *("does_not_exist", "includes_value", "does_not_include_value", *_COMPARED, *_TIMES),
    )
)
_KINDS = ("custom_attribute", "push_subscription_status", "email_subscription_status")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a filter looks at: profile fields, custom attributes, and the time it is."""

    fields: Mapping[str, object]
    custom: Mapping[str, object]
    now: datetime


Filter = Callable[[Facts], bool]


def parse_filter(given: object, where: str = "audience", depth: int = 0) -> Filter:
    """Read a filter; ``Refused`` says where it is wrong."""
    if depth > MAX_DEPTH or not isinstance(given, dict) or len(given) != 1:
        raise Refused(f"{where} must be an object with one filter, AND or OR")
    ((kind, body),) = given.items()
    if kind in ("AND", "OR"):
        if not isinstance(body, list) or not body:
            raise Refused(f"{where}.{kind} must be a list of filters")
        parts = [parse_filter(one, f"{where}.{kind}[{i}]", depth + 1) for i, one in enumerate(body)]
        joined = all if kind == "AND" else any
        return lambda facts: joined(part(facts) for part in parts)
    if not isinstance(body, dict):
        raise Refused(f"{where}.{kind} must be an object")
    if kind == "custom_attribute":
        return _custom_attribute(body, where)
    if kind in ("push_subscription_status", "email_subscription_status"):
        return _status(kind.partition("_")[0], body, f"{where}.{kind}")
    if kind == "last_used_app":
        return _last_used(body, f"{where}.{kind}")
    raise Refused(f"{where} has the unknown filter {kind!r}; use {', '.join(_KINDS)}, AND or OR")


def in_words(given: object) -> str:
    """A filter as a person would say it.

    >>> in_words({"custom_attribute": {"custom_attribute_name": "tier", "comparison": "equals",
    ...     "value": "gold"}})
    'tier equals gold'
    """
    if not isinstance(given, dict) or len(given) != 1:
        return "All users"
    ((kind, body),) = given.items()
    if kind in ("AND", "OR") and isinstance(body, list):
        return f" {kind.lower()} ".join(f"({in_words(one)})" for one in body)
    if not isinstance(body, dict):
        return str(kind)
    name = body.get("custom_attribute_name", kind)
    words = (name, body.get("comparison"), body.get("value"))
    return " ".join(str(word).replace("_", " ") for word in words if word is not None)


def _custom_attribute(body: Mapping[str, object], where: str) -> Filter:
    name, comparison = body.get("custom_attribute_name"), body.get("comparison")
    wanted = body.get("value")
    where = f"{where}.custom_attribute"
    if not isinstance(name, str) or not name:
        raise Refused(f"{where}.custom_attribute_name must be a string")
    if comparison not in _COMPARISONS:
        raise Refused(f"{where}.comparison must be one of {', '.join(sorted(_COMPARISONS))}")
    holds = _comparison(str(comparison), wanted, where)
    return lambda facts: holds(facts.custom.get(name), facts.now)


def _comparison(comparison: str, wanted: object, where: str) -> Callable[[object, datetime], bool]:
    if comparison in ("exists", "does_not_exist"):
        return lambda have, _: (have is not None) == (comparison == "exists")
    if not isinstance(wanted, str | int | float | bool):
        raise Refused(f"{where}.value must be a string, a number or a boolean")
    if comparison in ("equals", "not_equal"):
        return lambda have, _: _equal(have, wanted) == (comparison == "equals")
    if comparison in ("includes_value", "does_not_include_value"):
        includes = comparison == "includes_value"
        return lambda have, _: (isinstance(have, list) and wanted in have) == includes
    if comparison in ("matches_regex", "does_not_match_regex"):
        return _pattern(comparison, wanted, where)
    if comparison in _TIMES:
        return _moment(comparison, wanted, where)
    if isinstance(wanted, bool) or not isinstance(wanted, int | float):
        raise Refused(f"{where}.value must be a number for {comparison}")
    compare, limit = _COMPARED[comparison], float(wanted)
    return lambda have, _: (
        isinstance(have, int | float) and not isinstance(have, bool) and compare(have, limit)
    )


def _equal(have: object, wanted: object) -> bool:
    return isinstance(have, bool) == isinstance(wanted, bool) and have == wanted


def _pattern(comparison: str, wanted: object, where: str) -> Callable[[object, datetime], bool]:
    try:
        pattern = re.compile(str(wanted))
    except re.error as error:
        raise Refused(f"{where}.value is no regular expression: {error}") from error
    matches = comparison == "matches_regex"
    return lambda have, _: (isinstance(have, str) and bool(pattern.search(have))) == matches


def _moment(comparison: str, wanted: object, where: str) -> Callable[[object, datetime], bool]:
    if comparison in ("after", "before"):
        limit = _time(wanted)
        if limit is None:
            raise Refused(f"{where}.value must be an ISO 8601 time")
        return lambda have, _: _ordered(_time(have), limit, comparison == "after")
    if isinstance(wanted, bool) or not isinstance(wanted, int | float) or abs(wanted) > 100_000:
        raise Refused(f"{where}.value must be a number of days for {comparison}")
    span = timedelta(days=float(wanted))
    later = comparison in ("less_than_x_days_ago", "greater_than_x_days_in_the_future")
    sign = 1 if comparison.endswith("future") else -1
    return lambda have, now: _ordered(_time(have), now + sign * span, later)


def _ordered(have: datetime | None, limit: datetime, later: bool) -> bool:
    return have is not None and (have > limit if later else have < limit)


def _time(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if at is None:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _status(channel: str, body: Mapping[str, object], where: str) -> Filter:
    wanted, comparison = body.get("value"), body.get("comparison")
    if comparison not in ("is", "is_not") or wanted not in STATES:
        raise Refused(f"{where} needs comparison is or is_not, and value {', '.join(STATES)}")
    key, positive = f"{channel}_subscribe", comparison == "is"
    return lambda facts: (facts.fields.get(key) == wanted) == positive


def _last_used(body: Mapping[str, object], where: str) -> Filter:
    limit, comparison = _time(body.get("value")), body.get("comparison")
    if comparison not in ("after", "before") or limit is None:
        raise Refused(f"{where} needs comparison after or before, and an ISO 8601 value")
    return lambda facts: _ordered(
        _time(facts.fields.get("date_of_last_session")), limit, comparison == "after"
    )
