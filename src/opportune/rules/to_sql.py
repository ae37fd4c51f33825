"""Ask a rule of every profile at once."""

from __future__ import annotations

import re
from collections.abc import Mapping

from opportune.errors import InvalidInput
from opportune.rules.model import (
    AllOf,
    AnyOf,
    Compare,
    Exists,
    Kind,
    Not,
    Operator,
    Rule,
    Sql,
)

__all__ = ["pointer", "to_sql"]


def to_sql(rule: Rule, *, prefix: str = "rule") -> Sql:
    """Turn the rule into a boolean expression in DuckDB's dialect over a column ``traits``.

    ``traits`` is VARCHAR: the text of a JSON object without repeated names. A row whose text is
    null or malformed has no traits, so that one bad row cannot stop a query over all profiles. The
    expression is true or false for every row. Everything a person wrote is a bound parameter.

    Parameters
    ----------
    prefix:
        Begins the parameters' names; give each rule its own when several meet in one statement.

    >>> from opportune.rules import parse
    >>> sql = to_sql(parse({"trait": "vip", "exists": True}, where="rule"))
    >>> sql.text
    "coalesce(try(json_type(traits, $rule_1)) <> 'NULL', false)"
    >>> sql.parameters
    {'rule_1': '/vip'}
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", prefix):
        raise InvalidInput(
            f"The parameter prefix {prefix!r} cannot be used."
            " Allowed: a small letter, then small letters, digits and _, 41 at most."
        )
    parameters: dict[str, object] = {}
    text = _expression(rule, prefix=prefix, parameters=parameters)
    return Sql(text=text, parameters=parameters)


def _expression(rule: Rule, *, prefix: str, parameters: dict[str, object]) -> str:
    def bind(value: object) -> str:
        name = f"{prefix}_{len(parameters) + 1}"
        parameters[name] = value
        return f"${name}"

    def inner(each: Rule) -> str:
        return _expression(each, prefix=prefix, parameters=parameters)

    match rule:
        case AllOf():
            return _join(" and ", [inner(each) for each in rule.rules], empty="true")
        case AnyOf():
            return _join(" or ", [inner(each) for each in rule.rules], empty="false")
        case Not():
            return f"(not {inner(rule.rule)})"
        case Exists():
            return _EXISTS.format(path=bind(pointer(rule.trait)))
        case Compare():
            found = _FOUND[rule.kind].format(path=bind(pointer(rule.trait)))
            symbol = _SYMBOLS[rule.operator]
            return _COMPARE.format(found=found, symbol=symbol, value=bind(rule.value))
        case _:
            found = _FOUND[rule.kind].format(path=bind(pointer(rule.trait)))
            return _ONE_OF.format(found=found, values=bind(list(rule.values)))


# try: malformed text is null instead of an error, which would also quote the whole text. It stands
# around each JSON function alone: around a try_cast it lets errors through (DuckDB 2.0).
_TYPE = "try(json_type(traits, {path}))"
_TEXT = "try(json_extract_string(traits, {path}))"

_EXISTS = f"coalesce({_TYPE} <> 'NULL', false)"
_COMPARE = "coalesce({found} {symbol} {value}, false)"
_ONE_OF = "coalesce(list_contains({values}, {found}), false)"

# The value of a trait if it is of that kind, else null. DuckDB sorts NaN above every number and
# calls it equal to itself; here it compares false with everything, so it is null too.
_FOUND: Mapping[Kind, str] = {
    "text": f"case when {_TYPE} = 'VARCHAR' then {_TEXT} end",
    "boolean": f"case when {_TYPE} = 'BOOLEAN' then {_TEXT} = 'true' end",
    "number": (
        f"case when {_TYPE} in ('BIGINT', 'UBIGINT', 'DOUBLE')"
        f" then nullif(try_cast({_TEXT} as double), 'nan'::double) end"
    ),
}

_SYMBOLS: Mapping[Operator, str] = {
    "is": "=",
    "is_not": "<>",
    "at_least": ">=",
    "at_most": "<=",
    "more_than": ">",
    "less_than": "<",
}


def _join(word: str, parts: list[str], *, empty: str) -> str:
    return f"({word.join(parts)})" if parts else empty


def pointer(trait: str) -> str:
    """Write the name as a JSON pointer (RFC 6901); unlike a ``$.path`` it has no wildcards.

    >>> pointer("a/b")
    '/a~1b'
    """
    return "/" + trait.replace("~", "~0").replace("/", "~1")
