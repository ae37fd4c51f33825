"""The events that a metric means, each with its amount, as a relation that a statement reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from opportune.rules.binding import Binding, binding, pointer
from opportune.rules.condition import expression
from opportune.rules.counts import named
from opportune.rules.model import Match, Sql

__all__ = ["Measure", "measured"]

# A filter of a metric asks nothing of the time, so that the moment is never bound.
ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)
WITH = re.compile(r"((?:\s*--[^\n]*\n)*\s*)with ")
COLUMNS = (
    "message_id, source_id, event, occurred_at_us, received_at_us, user_id, anonymous_id, "
    "properties, context"
)
MEASURED = "select\n    {columns},\n    {amount} as amount\nfrom events\nwhere {where}"
# try: properties that are no JSON to this engine are worth nothing, and stop nobody else.
AMOUNT = "try_cast(try(json_extract_string(properties, {path})) as double)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Which events are meant, and which property has the amount of one; None: each is worth 1."""

    match: Match
    amount: str | None


def measured(
    measure: Measure, statement: str, parameters: Mapping[str, object], *, prefix: str = "measure"
) -> Sql:
    """Give a statement that begins with ``with`` the relation ``measured``.

    It has a row for each event that is meant, with these columns of the events of the lake:
    ``message_id, source_id, event, occurred_at_us, received_at_us, user_id, anonymous_id,
    properties, context``, and with ``amount``, a double; null where the event has none.

    >>> sales = Measure(match=Match(events=("Order Completed",), where=None), amount="revenue")
    >>> asked = measured(sales, "with a as (select amount from measured) select * from a", {})
    >>> asked.text.splitlines()[-1]
    'a as (select amount from measured) select * from a'
    >>> asked.parameters
    {'measure_1': '/revenue', 'measure_2': 'Order Completed'}
    """
    values = binding(prefix=prefix, now=ANY_TIME)
    query = MEASURED.format(
        columns=COLUMNS.replace(", ", ",\n    "),
        amount=_amount(measure, values),
        where="\n    and ".join(_conditions(measure.match, values)),
    )
    begun = WITH.match(statement)
    assert begun is not None, "only a statement of ours comes here, and it begins with `with`"
    text = f"{begun[1]}with measured as (\n{query}\n),\n{statement[begun.end() :]}"
    return Sql(text=text, parameters={**parameters, **values.parameters})


def _amount(measure: Measure, values: Binding) -> str:
    if measure.amount is None:
        return "1.0::double"
    return AMOUNT.format(path=values.bind(pointer(measure.amount)))


def _conditions(match: Match, values: Binding) -> list[str]:
    found = ["type = 'track'", named(match.events, values)]
    if match.where is not None:
        found.append(expression(match.where, "properties", values))
    return found
