"""A rule on fields alone as a boolean expression: over traits, or over an event's properties."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from opportune.errors import InvalidInput
from opportune.rules.binding import Binding, binding, pointer
from opportune.rules.model import (
    AllOf,
    AnyOf,
    Compare,
    DateIs,
    DateNear,
    Exists,
    Kind,
    Leaf,
    Not,
    OneOf,
    Operator,
    Rule,
    Sql,
    TextIs,
)
from opportune.rules.times import ISO

__all__ = [
    "SYMBOLS",
    "condition",
    "date_expression",
    "expression",
    "found",
    "junction",
    "leaf_expression",
]


def condition(rule: Rule, *, now: datetime, prefix: str = "rule") -> Sql:
    """Turn a rule on traits alone into a boolean expression over a column ``traits``.

    ``traits`` is VARCHAR: the text of a JSON object without repeated names. A row whose text is
    null or malformed has no traits, so that one bad row cannot stop a query over all profiles. The
    expression is true or false for every row. Everything a person wrote is a bound parameter.

    Parameters
    ----------
    prefix:
        Begins the parameters' names; give each rule its own when several meet in one statement.

    Raises ``InvalidInput`` for a rule that asks for more than traits: that takes `to_sql`.

    >>> from datetime import UTC
    >>> from opportune.rules import parse
    >>> vip = parse({"trait": "vip", "exists": True}, where="rule")
    >>> sql = condition(vip, now=datetime(2026, 3, 1, tzinfo=UTC))
    >>> sql.text
    "coalesce(try(json_type(traits, $rule_1)) <> 'NULL', false)"
    >>> sql.parameters
    {'rule_1': '/vip'}
    """
    values = binding(prefix=prefix, now=now)
    text = expression(rule, "traits", values)
    return Sql(text=text, parameters=values.parameters)


def expression(rule: Rule, column: str, values: Binding) -> str:
    """Write a rule on fields alone over the JSON text in ``column``."""
    match rule:
        case AllOf() | AnyOf():
            return junction(rule, [expression(each, column, values) for each in rule.rules])
        case Not():
            return f"(not {expression(rule.rule, column, values)})"
        case Compare() | OneOf() | Exists() | TextIs() | DateIs() | DateNear():
            return leaf_expression(rule, column, values)
    raise InvalidInput(
        "This rule asks for more than traits, which no condition on one row can tell."
        " Make it a segment, and use that."
    )


def junction(rule: AllOf | AnyOf, parts: list[str]) -> str:
    """Write parts that must all hold, or one of which must."""
    word, empty = (" and ", "true") if isinstance(rule, AllOf) else (" or ", "false")
    return f"({word.join(parts)})" if parts else empty


def leaf_expression(rule: Leaf, column: str, values: Binding) -> str:
    """Write one condition on a field of the JSON text in ``column``; never null."""
    path = values.bind(pointer(rule.name))
    match rule:
        case Exists():
            return EXISTS.format(column=column, path=path)
        case Compare():
            value = found(rule.kind, column, path)
            asked = f"{value} {SYMBOLS[rule.operator]} {values.bind(rule.value)}"
        case OneOf():
            asked = f"{found(rule.kind, column, path)} in ({values.each(rule.values)})"
        case TextIs():
            asked = f"{rule.operator}({found('text', column, path)}, {values.bind(rule.text)})"
        case DateIs(operator="before"):
            asked = f"{date_expression(column, path)} < {values.bind(rule.moment.start_us)}"
        case DateIs():
            asked = f"{date_expression(column, path)} >= {values.bind(rule.moment.end_us)}"
        case _:
            first, last = (values.bind(at_us) for at_us in rule.bounds(values.now_us))
            asked = f"{date_expression(column, path)} between {first} and {last}"
    return f"coalesce({asked}, false)"


# try: malformed text is null instead of an error, which would also quote the whole text. It stands
# around each JSON function alone: around a try_cast it lets errors through (DuckDB 2.0).
TYPE = "try(json_type({column}, {path}))"
TEXT = "try(json_extract_string({column}, {path}))"

EXISTS = f"coalesce({TYPE} <> 'NULL', false)"

# The value of a field if it is of that kind, else null. DuckDB sorts NaN above every number and
# calls it equal to itself; here it compares false with everything, so it is null too.
FOUND: Mapping[Kind, str] = {
    "text": f"case when {TYPE} = 'VARCHAR' then {TEXT} end",
    "boolean": f"case when {TYPE} = 'BOOLEAN' then {TEXT} = 'true' end",
    "number": (
        f"case when {TYPE} in ('BIGINT', 'UBIGINT', 'DOUBLE')"
        f" then nullif(try_cast({TEXT} as double), 'nan'::double) end"
    ),
}
# The text must be an ISO date from end to end, whatever else a cast would read; a day is its first
# moment in UTC, whatever the zone of the session.
DATE = (
    f"case when {TYPE} = 'VARCHAR' and regexp_extract({TEXT}, '{ISO}') = {TEXT}"
    f" then epoch_us(try_cast(case when {TEXT} like '%T%' then {TEXT}"
    f" else {TEXT} || 'T00:00:00Z' end as timestamptz)) end"
)

SYMBOLS: Mapping[Operator, str] = {
    "is": "=",
    "is_not": "<>",
    "at_least": ">=",
    "at_most": "<=",
    "more_than": ">",
    "less_than": "<",
}


def found(kind: Kind, column: str, path: str) -> str:
    """Write the field's value if it is of that kind, else null."""
    return FOUND[kind].format(column=column, path=path)


def date_expression(column: str, path: str) -> str:
    """Write the microsecond that a field of the JSON text in ``column`` means, null for no date."""
    return DATE.replace("{column}", column).replace("{path}", path)
