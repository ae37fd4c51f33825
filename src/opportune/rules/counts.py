"""Counts, sums and the like over the events of one scope, all found in one pass."""

from __future__ import annotations

from dataclasses import dataclass, field

from opportune.rules.binding import Binding, pointer
from opportune.rules.condition import SYMBOLS, expression, found
from opportune.rules.model import Happened, Kind, Match
from opportune.rules.statement import Columns
from opportune.rules.times import Window
from opportune.rules.totals import KINDS, millionths

__all__ = ["Counts", "flag", "named", "value"]

# The same as `millionths`, of what is an amount.
AMOUNT = (
    "case when {flag} = 1 and abs({number}) <= 1e12"
    " then cast(floor({number} * 1e6 + 0.5) as bigint){less} end"
)
GROUP = "select {columns}\nfrom {source}\ngroup by {keys}"
EVENTS = "(\nselect {columns}\nfrom {source} as events\nwhere {where}\n) as matched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Collects what is asked of events, group by group.

    ``columns`` are calculated from each event and ``counted`` from each group; ``lows_us`` says
    from when on each question counts events.
    """

    values: Binding
    columns: Columns
    counted: list[str] = field(default_factory=list)
    events: dict[str, None] = field(default_factory=dict)
    lows_us: list[int | None] = field(default_factory=list)

    def ask(self, rule: Happened, alias: str) -> str:
        """Write the rule as an expression over the rows of a group, joined as ``alias``."""
        self.events.update(dict.fromkeys(rule.match.events))
        self.lows_us.append(rule.window.bounds(self.values.now_us)[0])
        self.counted.append(self._aggregate(rule))
        column = f"{alias}.a{len(self.counted)}"
        symbol, bind = SYMBOLS[rule.operator], self.values.bind
        if rule.aggregate in ("count", "distinct"):
            return f"coalesce({column}, 0) {symbol} {bind(int(rule.value))}"
        if rule.aggregate == "sum":
            return f"coalesce({column}, 0) {symbol} {bind(millionths(rule.value))}"
        if rule.aggregate == "average":
            # A mean stands to its limit as the sum of all distances to it stands to nothing.
            return f"coalesce({column} {symbol} 0, false)"
        return f"coalesce({column} {symbol} {bind(rule.value)}, false)"

    def query(self, source: str, keys: str) -> str:
        """Write the query with a row for each of ``keys``, from events that have ``columns``."""
        counted = [f"{text} as a{number}" for number, text in enumerate(self.counted, start=1)]
        return GROUP.format(columns=",\n    ".join([keys, *counted]), source=source, keys=keys)

    def matched(self, events: str) -> str:
        """Write the source for `query` that reads only the events that are asked for."""
        bind = self.values.bind
        conditions = [
            f"occurred_at_us <= {bind(self.values.now_us)}",
            named(tuple(self.events), self.values),
        ]
        lows_us = [low_us for low_us in self.lows_us if low_us is not None]
        if len(lows_us) == len(self.lows_us):
            conditions.append(f"occurred_at_us >= {bind(min(lows_us))}")
        columns = ",\n    ".join(["profile_id", *self.columns.listed])
        return EVENTS.format(columns=columns, source=events, where=" and ".join(conditions))

    def _aggregate(self, rule: Happened) -> str:
        is_meant = self.columns.add(
            (rule.match, rule.window), lambda: flag(rule.match, rule.window, self.values)
        )
        if rule.property is None:
            return f"count({is_meant})"
        if rule.aggregate == "distinct":
            of_kinds = (self._value(rule, rule.property, kind) for kind in KINDS)
            return " + ".join(
                f"count(distinct case when {is_meant} = 1 then {each} end)" for each in of_kinds
            )
        number = self._value(rule, rule.property, "number")
        if rule.aggregate in ("minimum", "maximum"):
            name = "min" if rule.aggregate == "minimum" else "max"
            return f"{name}(case when {is_meant} = 1 then {number} end)"
        limit = millionths(rule.value)
        less = f" - {self.values.bind(limit)}" if rule.aggregate == "average" else ""
        return f"sum({AMOUNT.format(flag=is_meant, number=number, less=less)})"

    def _value(self, rule: Happened, name: str, kind: Kind) -> str:
        events = rule.match.events
        return self.columns.add(
            (events, name, kind), lambda: value(events, name, kind, self.values)
        )


def flag(match: Match, window: Window | None, values: Binding) -> str:
    """Write 1 for an event that is meant and in the window, else null."""
    conditions = [named(match.events, values)]
    if window is not None:
        low_us, high_us = window.bounds(values.now_us)
        if low_us is not None:
            conditions.append(f"occurred_at_us >= {values.bind(low_us)}")
        if high_us < values.now_us:
            conditions.append(f"occurred_at_us <= {values.bind(high_us)}")
    # One case within the other: properties are read only of events that are meant.
    inner = "1"
    if match.where is not None:
        inner = f"case when {expression(match.where, 'properties', values)} then 1 end"
    return f"case when {' and '.join(conditions)} then {inner} end"


def value(events: tuple[str, ...], name: str, kind: Kind, values: Binding) -> str:
    """Write the value of a property, if it is of that kind and the event has one of the names."""
    read = found(kind, "properties", values.bind(pointer(name)))
    # Adding zero makes one value of 0.0 and -0.0.
    read = f"{read} + 0.0" if kind == "number" else read
    return f"case when {named(events, values)} then {read} end"


def named(events: tuple[str, ...], values: Binding) -> str:
    """Write that an event has one of these names."""
    return f"event in ({values.each(events)})"
