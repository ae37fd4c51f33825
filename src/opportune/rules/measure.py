"""The events that a metric means, each with its amount, as a relation that a statement reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from opportune.rules.binding import Binding, binding, pointer
from opportune.rules.condition import expression
from opportune.rules.counts import named
from opportune.rules.formula import Formula, Named, names_in
from opportune.rules.formula_sql import formula_expression
from opportune.rules.model import Match, Sql

__all__ = ["FINITE", "Measure", "measured"]

# A filter of a metric asks nothing of the time, so that the moment is never bound.
ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)
WITH = re.compile(r"((?:\s*--[^\n]*\n)*\s*)with ")
COLUMNS = (
    "message_id, source_id, event, occurred_at_us, received_at_us, user_id, anonymous_id, "
    "properties, context"
)
MEASURED = "select\n    {columns},\n    {amount} as amount\nfrom {source}"
EVENTS = "events\nwhere {where}"
READ = "(\nselect\n    {columns},\n    {read}\nfrom {source}\n) as valued"
# try: properties that are no JSON to this engine are worth nothing, and stop nobody else.
AMOUNT = "try_cast(try(json_extract_string(properties, {path})) as double)"
FINITE = f"case when abs({AMOUNT}) <= 1.7e308 then {AMOUNT} end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Which events are meant, and what one is worth: ``amount`` of its properties; None: 1."""

    match: Match
    amount: Formula | None


def measured(
    measure: Measure, statement: str, parameters: Mapping[str, object], *, prefix: str = "measure"
) -> Sql:
    """Give a statement that begins with ``with`` the relation ``measured``.

    It has a row for each event that is meant, with these columns of the events of the lake:
    ``message_id, source_id, event, occurred_at_us, received_at_us, user_id, anonymous_id,
    properties, context``, and with ``amount``, a double; null where the event has none.

    >>> match = Match(events=("Order Completed",), where=None)
    >>> sales = Measure(match=match, amount=Named(name="revenue"))
    >>> asked = measured(sales, "with a as (select amount from measured) select * from a", {})
    >>> asked.text.splitlines()[-1]
    'a as (select amount from measured) select * from a'
    >>> asked.parameters
    {'measure_1': '/revenue', 'measure_2': 'Order Completed'}
    """
    values = binding(prefix=prefix, now=ANY_TIME)
    query = _query(measure, values)
    begun = WITH.match(statement)
    assert begun is not None, "only a statement of ours comes here, and it begins with `with`"
    text = f"{begun[1]}with measured as (\n{query}\n),\n{statement[begun.end() :]}"
    return Sql(text=text, parameters={**parameters, **values.parameters})


def _query(measure: Measure, values: Binding) -> str:
    columns, amount = COLUMNS.replace(", ", ",\n    "), measure.amount
    if amount is None or isinstance(amount, Named):
        # A property as it is, and not `FINITE`: who reads amounts leaves out what is too large.
        worth = "1.0::double"
        if amount is not None:
            worth = AMOUNT.format(path=values.bind(pointer(amount.name)))
        source = EVENTS.format(where="\n    and ".join(_conditions(measure.match, values)))
        return MEASURED.format(columns=columns, amount=worth, source=source)
    paths = {name: values.bind(pointer(name)) for name in names_in(amount)}
    read = {name: f"p{place}" for place, name in enumerate(paths, start=1)}
    listed = [f"{FINITE.format(path=paths[name])} as {column}" for name, column in read.items()]
    source = EVENTS.format(where="\n    and ".join(_conditions(measure.match, values)))
    valued = READ.format(columns=columns, read=",\n    ".join(listed), source=source)
    worth = formula_expression(amount, read, values)
    return MEASURED.format(columns=columns, amount=worth, source=valued)


def _conditions(match: Match, values: Binding) -> list[str]:
    found = ["type = 'track'", named(match.events, values)]
    if match.where is not None:
        found.append(expression(match.where, "properties", values))
    return found
