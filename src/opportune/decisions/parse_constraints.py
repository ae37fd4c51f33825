"""Read what a use case never does: how long options are valid, and its table of constraints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, time

from opportune import rules
from opportune.decisions.constraints import Cap, Constraints, Cooldown, Forbidden, QuietHours
from opportune.decisions.model import WEEKDAYS, Dimension, Option
from opportune.documents import Document
from opportune.errors import nearest

__all__ = ["MEANINGS", "read_constraints", "read_dimension", "read_option", "read_rule"]

MEANINGS = ("choice", "channel", "hour", "day", "frequency")
HOUR = re.compile(r"[01][0-9]|2[0-3]")
MOST_DAYS = 365
MOST_SENDS = 1_000
# A bit each, in a signed 64-bit integer.
MOST_FORBIDDEN = 63


def read_option(table: Document, option: Option) -> Option:
    """Read beside the name and rule of an option when it is valid, and what comes along with it."""
    given = table.table("parameters", required=False).body
    for name, value in given.items():
        if not isinstance(value, str | int | float):
            table.wrong(f"parameters.{name}", f"{value!r} given, must be a text, number or truth.")
    found = replace(
        option,
        valid_from=_day(table, "valid_from"),
        valid_until=_day(table, "valid_until"),
        parameters={
            key: each for key, each in given.items() if isinstance(each, str | int | float)
        },
        nothing=table.flag("nothing", default=False),
        days=_days(table, 0),
    )
    if found.valid_from and found.valid_until and found.valid_from > found.valid_until:
        table.wrong("valid_until", "lies before valid_from, so that the option is never valid.")
    return found


def read_dimension(table: Document, dimension: Dimension) -> None:
    """Check that the options of a dimension are what its meaning asks for."""
    meaning = dimension.meaning
    if meaning not in MEANINGS:
        table.wrong("meaning", f"{meaning!r} given, must be one of {', '.join(MEANINGS)}.")
    for place, option in enumerate(dimension.options):
        if option.nothing or not option.name:
            continue
        if meaning == "hour" and not HOUR.fullmatch(option.name):
            table.wrong("options", f"{option.name!r} given, an hour is a name from 00 to 23.")
        if meaning == "day" and option.name not in WEEKDAYS:
            table.wrong("options", f"{option.name!r} given, a day is one of {', '.join(WEEKDAYS)}.")
        if (meaning == "frequency") != bool(option.days):
            table.wrong(
                f"options[{place}].days",
                f"missing, must be the days between sends, from 1 to {MOST_DAYS}."
                if meaning == "frequency"
                else "stands only in a dimension whose meaning is 'frequency'.",
            )
    if dimension.options and all(option.nothing for option in dimension.options):
        table.wrong("options", "each of them is to send nothing, so that nothing is ever sent.")


def read_rule(table: Document, key: str) -> rules.Rule | None:
    """Read a rule about traits; None where there is none, or a mistake."""
    body = table.optional(key)
    if body is None:
        return None
    if not isinstance(body, Mapping):
        table.wrong(key, f"{body!r} given, must be a rule.")
        return None
    try:
        return rules.parse(body, where=f"{table.where}.{key}", traits_only=True)
    except rules.InvalidRule as error:
        table.problems.extend(error.problems)
        return None


def read_constraints(table: Document, dimensions: Sequence[Dimension]) -> Constraints:
    """Read the table ``constraints`` of a use case with these dimensions."""
    options = {each.name: [option.name for option in each.options] for each in dimensions}
    constraints = Constraints(
        forbidden=tuple(_forbidden(each, options) for each in _tables(table, "forbidden")),
        cooldowns=tuple(_cooldown(each, options) for each in _tables(table, "cooldown")),
        caps=tuple(map(_cap, _tables(table, "cap"))),
        quiet_hours=None if table.optional("quiet_hours") is None else _quiet_hours(table),
    )
    table.close()
    if len(constraints.forbidden) > MOST_FORBIDDEN:
        given = len(constraints.forbidden)
        table.wrong("forbidden", f"{given} given, at most {MOST_FORBIDDEN} allowed.")
    return constraints


def _tables(table: Document, key: str) -> list[Document]:
    return [] if table.optional(key) is None else table.tables(key)


def _forbidden(table: Document, options: Mapping[str, Sequence[str]]) -> Forbidden:
    given = table.table("options")
    named = {}
    for dimension in given.body:
        value = given.body[dimension]
        is_one = isinstance(value, str)
        named[dimension] = (given.text(dimension),) if is_one else given.texts(dimension)
        if dimension not in options:
            given.wrong(dimension, f"no such dimension. {nearest(dimension, options)}")
        elif value == []:
            given.wrong(dimension, "[] given, must name one option or more.")
        _check_options(given, dimension, named[dimension], options.get(dimension))
    if len(named) < 2:
        table.wrong("options", "name two dimensions or more; one option alone has its own rule.")
    when = read_rule(table, "when")
    table.close()
    return Forbidden(options=named, when=when)


def _cooldown(table: Document, options: Mapping[str, Sequence[str]]) -> Cooldown:
    dimension = table.text("dimension") if table.optional("dimension") is not None else None
    named = table.texts("options", ())
    days = _days(table, None)
    table.close()
    if dimension is None:
        if named:
            table.wrong(
                "options", "say of which dimension; without one, the whole action is meant."
            )
    elif dimension not in options:
        table.wrong("dimension", f"no such dimension. {nearest(dimension, options)}")
    else:
        _check_options(table, "options", named, options[dimension])
    return Cooldown(dimension=dimension, options=named, days=days)


def _cap(table: Document) -> Cap:
    sends, days = table.number("sends", low=1, high=MOST_SENDS), _days(table, None)
    across = table.flag("across", default=False)
    table.close()
    if sends != int(sends):
        table.wrong("sends", f"{sends:g} given, must be a whole number from 1 to {MOST_SENDS}.")
    return Cap(sends=int(sends), days=days, across=across)


def _check_options(
    table: Document, key: str, named: Sequence[str], options: Sequence[str] | None
) -> None:
    for name in named:
        if options is not None and name not in options:
            table.wrong(key, f"no option {name!r}. {nearest(name, options)}")


def _days(table: Document, default: int | None) -> int:
    days = table.number("days", default, low=1 if default is None else default, high=MOST_DAYS)
    if days != int(days):
        table.wrong("days", f"{days:g} given, must be a whole number from 1 to {MOST_DAYS}.")
    return int(days)


def _quiet_hours(table: Document) -> QuietHours | None:
    given = table.table("quiet_hours")
    start, end = _time(given, "from"), _time(given, "to")
    given.close()
    if start is None or end is None:
        return None
    if start == end:
        table.wrong("quiet_hours", "'from' and 'to' are the same: it would never be quiet.")
        return None
    return QuietHours(start=start, end=end)


def _time(table: Document, key: str) -> time | None:
    text = table.text(key)
    try:
        found = time.fromisoformat(text)
    except ValueError:
        found = None
    if found is not None and found.tzinfo is None and not found.microsecond:
        return found
    if text:
        table.wrong(key, f"{text!r} given, must be a time of day such as 21:00.")
    return None


def _day(table: Document, key: str) -> date | None:
    if table.optional(key) is None:
        return None
    text = table.text(key)
    try:
        return date.fromisoformat(text)
    except ValueError:
        if text:
            table.wrong(key, f"{text!r} given, must be a day such as 2026-12-31.")
        return None
