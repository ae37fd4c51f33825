"""A metric: an aggregation of events over a window, or calculated of such ones."""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from typing import Literal

from opportune import rules

__all__ = ["CURRENCY", "Aggregate", "Metric"]

# The property that says what money an event counts in.
CURRENCY = "currency"

# What says of an event of ours that a machine did it: a mail reader that loads images ahead of
# people, a scanner that follows links.
MACHINES = {"Message Opened": "machine_open", "Message Clicked": "suspected_bot"}
# Even without those, an open is a guess: who reads with images off is not seen at all.
OPENS = ("Message Opened", "Email Opened")

# How names of events begin that tell what became of a message.
ENGAGEMENT = ("Message ", "users.")

Aggregate = Literal["sum", "mean", "last", "unique_days"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """How much of something happened within ``window_days`` days.

    ``property`` is the property of ``event``, and of the events ``also``, that is summed, or None:
    events are counted, or ``value`` is a formula over properties that is summed instead. Only
    events for which ``where`` holds are meant; ``filtered`` is that rule as it was written.
    ``aggregate`` "sum" of no property is the count. ``unit`` is what the value counts in, such as
    "orders" or "EUR"; amounts of another ``currency`` are left out. Opens and clicks of machines
    never count; ``proxy``: opens may be maximised all the same, in place of what is wanted.

    A calculated metric has a ``formula`` over the metrics of events ``parts``, by their names, and
    no event of its own; its window is the longest of theirs.
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
    proxy: bool = False
    value: rules.Formula | None = None
    formula: rules.Formula | None = None
    parts: tuple[Metric, ...] = ()

    @builtins.property
    def is_count(self) -> bool:
        """Whether it counts events."""
        has_value = self.property is not None or self.value is not None
        return not has_value and self.formula is None and self.aggregate == "sum"

    @builtins.property
    def is_over_rows(self) -> bool:
        """Whether its formula looks at all rows together, as a ratio of sums does."""
        if self.formula is None:
            return False
        units = dict.fromkeys(rules.names_in(self.formula))
        return rules.check_formula(self.formula, units).is_over_rows

    @builtins.property
    def is_per_row(self) -> bool:
        """Whether it comes to a value for each row, and not to one for all of them."""
        if self.formula is None:
            return True
        units = dict.fromkeys(rules.names_in(self.formula))
        return rules.check_formula(self.formula, units).is_per_row

    @builtins.property
    def bases(self) -> tuple[Metric, ...]:
        """The metrics of events that it is made of; itself, if it is one."""
        return self.parts if self.formula is not None else (self,)

    @builtins.property
    def events(self) -> tuple[str, ...]:
        """The names of the events that are meant."""
        if self.formula is not None:
            return tuple(dict.fromkeys(event for each in self.parts for event in each.events))
        return (self.event, *self.also)

    @builtins.property
    def is_engagement(self) -> bool:
        """Whether some of its events tell what became of a message, and so name its call."""
        return any(event.startswith(ENGAGEMENT) for event in self.events)

    @builtins.property
    def measure(self) -> rules.Measure:
        """Which events are meant, and what each is worth; not of a calculated one."""
        where = _by_people(_in_currency(self.where, self.currency), self.events)
        match = rules.Match(events=self.events, where=where)
        plain = None if self.property is None else rules.Named(name=self.property)
        return rules.Measure(match=match, amount=plain if self.value is None else self.value)

    @builtins.property
    def opens(self) -> tuple[str, ...]:
        """Those of its events that are opens, unless it is said to be a proxy."""
        parts = [each for each in self.bases if not each.proxy]
        return tuple(event for each in parts for event in each.events if event in OPENS)

    @builtins.property
    def properties(self) -> frozenset[tuple[str, str]]:
        """The pairs of an event's name and a property's that its value depends on."""
        if self.formula is not None:
            return frozenset(pair for each in self.parts for pair in each.properties)
        match, amount = self.measure.match, self.measure.amount
        names = [] if amount is None else list(rules.names_in(amount))
        if match.where is not None:
            names += rules.uses(match.where).traits
        return frozenset((event, name) for event in self.events for name in names)

    @builtins.property
    def counted(self) -> tuple[object, ...]:
        """What it counts, whatever it is called: another one is another reward."""
        if self.formula is not None:
            parts = tuple((each.name, *each.counted) for each in self.parts)
            return ("", rules.formula_text(self.formula), self.window_days, parts)
        more = {
            "also": self.also,
            "where": self.filtered,
            "aggregate": "" if self.aggregate == "sum" else self.aggregate,
            "currency": self.currency,
            "value": "" if self.value is None else rules.formula_text(self.value),
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


def _by_people(where: rules.Rule | None, events: tuple[str, ...]) -> rules.Rule | None:
    names = sorted({MACHINES[event] for event in events if event in MACHINES})
    by_machine = tuple(
        rules.Compare(name=name, operator="is", kind="boolean", value=True) for name in names
    )
    if not by_machine:
        return where
    by_people = rules.Not(rule=rules.AnyOf(rules=by_machine))
    return by_people if where is None else rules.AllOf(rules=(where, by_people))
