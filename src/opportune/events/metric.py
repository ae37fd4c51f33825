"""A metric as a marketer writes it in TOML: an aggregation of events over a window."""

from __future__ import annotations

import builtins
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from opportune import rules
from opportune.documents import Document
from opportune.errors import nearest

__all__ = ["Aggregate", "Metric", "parse_metric"]

COUNT = "count"
# In the order of the how-to; a count is a sum of ones.
AGGREGATES = (COUNT, "unique_days", "sum", "mean", "last")
WITHOUT_VALUE = (COUNT, "unique_days")
MAX_WINDOW_DAYS = 365
MAX_EVENTS = 20
# The property that says what money an event counts in.
CURRENCY = "currency"

Aggregate = Literal["sum", "mean", "last", "unique_days"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """How much of something happened within ``window_days`` days.

    ``property`` is the property of ``event``, and of the events ``also``, that is summed, or None:
    events are counted. Only events for which ``where`` holds are meant; ``filtered`` is that rule
    as it was written. ``aggregate`` "sum" of no property is the count. ``unit`` is what the value
    counts in, such as "orders" or "EUR"; amounts of another ``currency`` are left out.
    """

    name: str
    title: str
    event: str
    property: str | None
    unit: str
    window_days: int
    also: tuple[str, ...] = ()
    where: rules.Rule | None = None
    filtered: str = ""
    aggregate: Aggregate = "sum"
    currency: str = ""

    @builtins.property
    def is_count(self) -> bool:
        """Whether it counts events."""
        return self.property is None and self.aggregate == "sum"

    @builtins.property
    def events(self) -> tuple[str, ...]:
        """The names of the events that are meant."""
        return (self.event, *self.also)

    @builtins.property
    def measure(self) -> rules.Measure:
        """Which events are meant, and what each is worth."""
        match = rules.Match(events=self.events, where=_in_currency(self.where, self.currency))
        return rules.Measure(match=match, amount=self.property)

    @builtins.property
    def properties(self) -> frozenset[tuple[str, str]]:
        """The pairs of an event's name and a property's that its value depends on."""
        match = self.measure.match
        names = [] if self.property is None else [self.property]
        if match.where is not None:
            names += rules.uses(match.where).traits
        return frozenset((event, name) for event in self.events for name in names)

    @builtins.property
    def counted(self) -> tuple[object, ...]:
        """What it counts, whatever it is called: another one is another reward."""
        more = {
            "also": self.also,
            "where": self.filtered,
            "aggregate": "" if self.aggregate == "sum" else self.aggregate,
            "currency": self.currency,
        }
        said = tuple(f"{key}={value}" for key, value in more.items() if value)
        return (self.event, self.property, self.window_days, *said)


def _in_currency(where: rules.Rule | None, currency: str) -> rules.Rule | None:
    if not currency:
        return where
    same = rules.AnyOf(
        rules=(
            rules.Not(rule=rules.Exists(name=CURRENCY)),
            rules.Compare(name=CURRENCY, operator="is", kind="text", value=currency),
        )
    )
    return same if where is None else rules.AllOf(rules=(where, same))


def parse_metric(name: str, body: Mapping[str, object], problems: list[str]) -> Metric | None:
    """Read the table of ``metrics/{name}.toml``; mistakes are added to ``problems``, then None.

    >>> parse_metric("revenue", {"event": "Order Completed", "value": "revenue", "unit": "EUR",
    ...               "window_days": 2}, []).property
    'revenue'
    """
    before = len(problems)
    document = Document(body, f"metrics/{name}.toml", problems)
    value = document.text("value", COUNT)
    days = document.number("window_days", low=1, high=MAX_WINDOW_DAYS)
    if days != int(days):
        document.wrong("window_days", f"{days!r} given, must be a whole number of days.")
    first, *also = _events(document)
    currency = _currency(document)
    where, filtered = _where(document, (first, *also))
    metric = Metric(
        name=name,
        title=document.text("title", name),
        event=first,
        property=None if value == COUNT else value,
        unit=document.text("unit", currency or None),
        window_days=int(days),
        also=tuple(also),
        where=where,
        filtered=filtered,
        aggregate=_aggregate(document, value),
        currency=currency,
    )
    if currency and metric.unit != currency:
        document.wrong("unit", f"{metric.unit!r} given, but the currency is '{currency}'.")
    document.close()
    return metric if len(problems) == before else None


def _events(document: Document) -> tuple[str, ...]:
    if document.optional("events") is None:
        return (document.text("event"),)
    events = tuple(dict.fromkeys(document.texts("events")))
    if document.optional("event") is not None:
        document.wrong("events", "there is also 'event'. Give one of the two.")
    elif not 0 < len(events) <= MAX_EVENTS:
        document.wrong("events", f"{len(events)} names given, must be 1 to {MAX_EVENTS}.")
    return events or ("",)


def _currency(document: Document) -> str:
    currency = document.text("currency", "")
    if currency and not re.fullmatch("[A-Z]{3}", currency):
        document.wrong("currency", f"{currency!r} given, must be three capitals such as 'EUR'.")
    return currency


def _aggregate(document: Document, value: str) -> Aggregate:
    default = COUNT if value == COUNT else "sum"
    asked = document.text("aggregate", default)
    if asked not in AGGREGATES:
        document.wrong("aggregate", f"{asked!r} given. {nearest(asked, AGGREGATES)}")
    elif asked in WITHOUT_VALUE and value != COUNT:
        document.wrong("aggregate", f"'{asked}' takes no value: leave 'value' out.")
    elif asked not in WITHOUT_VALUE and value == COUNT:
        document.wrong("aggregate", f"'{asked}' needs the property to look at: give 'value'.")
    known: dict[str, Aggregate] = {"mean": "mean", "last": "last", "unique_days": "unique_days"}
    return known.get(asked, "sum")


def _where(document: Document, events: tuple[str, ...]) -> tuple[rules.Rule | None, str]:
    """Read which of the events are meant, and how that was written."""
    asked = document.optional("where")
    if asked is None:
        return None, ""
    try:
        rule = rules.parse(
            {"event": list(events) if all(events) else "?", "where": asked}, where=document.where
        )
    except rules.InvalidRule as error:
        document.problems.extend(error.problems)
        return None, ""
    assert isinstance(rule, rules.Happened), "nothing else begins with an event"
    if rule.match.where is not None and rules.depends_on_time(rule.match.where):
        document.wrong("where", "what counts must not change with time. Use 'before' or 'after'.")
    return rule.match.where, json.dumps(asked, sort_keys=True, default=str)
