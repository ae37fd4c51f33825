"""How Spark says what it would otherwise understand differently from DuckDB, one form a construct.

Each form gives the rows that DuckDB gives; `opportune.testing.check_engine` proves it on both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache

import sqlglot
from sqlglot import exp

from opportune.errors import Unsupported

__all__ = [
    "FORMS",
    "FUNCTIONS",
    "JSON",
    "WHOLE",
    "NotPortable",
    "item_parameter",
    "json_path",
    "path_parameter",
]

# A parameter that names a place in a JSON text is given to Spark under this name as well.
PATH = "__path"
JSON = (exp.JSONExtractScalar, exp.JSONType)
WHOLE = {exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT}

# Functions that the translator does not know, by DuckDB's name.
FUNCTIONS: Mapping[str, str] = {
    "epoch_us": "unix_micros(:p0)",
    "isfinite": "abs(:p0) < double('Infinity')",
    "make_timestamptz": "timestamp_micros(cast(:p0 as bigint))",
    "printf": "format_string(:p0, :p1)",
    "to_json": "to_json(:p0, map('ignoreNullFields', 'false'))",
}

# What DuckDB reads as a number, and Java does not: underscores, and a plus before the minus.
# What Java reads and DuckDB does not ('5d', '0x1p3') is in neither.
NUMBER = (
    r"(?i)^\s*[+]?(?:-(?=nan))?(nan|-?(?:inf|infinity"
    r"|(?:[0-9]+(?:_[0-9]+)*[.]?(?:[0-9]+(?:_[0-9]+)*)?|[.][0-9]+(?:_[0-9]+)*)"
    r"(?:e[+-]?[0-9]+(?:_[0-9]+)*)?))\s*$"
)
# ISO 8601: a day, or a time of a day in any zone that is named by its distance from UTC.
MOMENT = (
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    "([ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-][0-9]{2}(:[0-9]{2})?)?)?$"
)


class NotPortable(Unsupported):
    """A statement has something in it that does not mean the same on every engine."""

    code = "not_portable"


def json_path(pointer: object) -> str | None:
    """Write a JSON pointer (RFC 6901) as the path that Spark's JSON functions take.

    >>> json_path("/address/post~1zip")
    "$['address']['post/zip']"
    """
    if pointer is None:
        return None
    if not isinstance(pointer, str) or not re.fullmatch("(/[^/]*)*", pointer):
        raise NotPortable(
            "A place in a JSON text must be given as a JSON pointer, such as '/plan'."
        )
    names = [name.replace("~1", "/").replace("~0", "~") for name in pointer.split("/")[1:]]
    return "$" + "".join(_step(name) for name in names)


def path_parameter(name: str) -> str:
    """Return the name under which Spark gets the pointer that is bound to ``name``, as a path."""
    return name + PATH


def item_parameter(name: str, place: int) -> str:
    """Return the name under which Spark gets one item of the list that is bound to ``name``."""
    return f"{name}__{place}"


def _step(name: str) -> str:
    if "'" not in name:
        return f"['{name}']"
    if '"' not in name:
        return f'["{name}"]'
    if "." in name or "[" in name:
        raise NotPortable("Spark cannot look up a name with both kinds of quotes and a '.' or '['.")
    return f".{name}"


@cache
def _template(sql: str) -> exp.Expr:
    return sqlglot.parse_one(sql, read="spark")


def _form(sql: str, /, **parts: exp.Expr) -> exp.Expr:
    """Fill ``parts`` into a piece of Spark's SQL at the names that begin with a colon."""
    whole = {name: _in_one(part.copy()) for name, part in parts.items()}
    return _in_one(exp.replace_placeholders(_template(sql), **whole))


def _in_one(node: exp.Expr) -> exp.Expr:
    """Put what operators join into parentheses, to be put between others."""
    is_joined = isinstance(node, exp.Binary | exp.Predicate | exp.Not | exp.Neg)
    return exp.paren(node, copy=False) if is_joined else node


def _number(node: exp.Expr) -> exp.Expr | None:
    # 1.5 is a decimal to both, but Spark rounds the mean of decimals to a few places.
    if node.is_string or node.name.isdigit():
        return None
    return exp.cast(exp.Literal.string(node.name), "double")


def _quotient(node: exp.Expr) -> exp.Expr:
    # As floating point has it, not an error: x / 0 is infinite or, for no x, not a number.
    return _form(
        "case when :below = 0 then cast(:above as double) * double('Infinity')"
        " else cast(:above as double) / cast(:below as double) end",
        above=node.this,
        below=node.expression,
    )


def _item(node: exp.Expr) -> exp.Expr:
    place = node.expressions[0]
    if isinstance(place, exp.Literal):
        # The parser counts literals from 0 already.
        place = exp.Literal.number(int(place.name) + 1)
    return _form(
        "try_element_at(:list, cast(nullif(:place, 0) as int))", list=node.this, place=place
    )


def _cast(node: exp.Expr) -> exp.Expr | None:
    # Spark cuts where DuckDB rounds half to even; whole numbers stay as they are.
    if node.args["to"].this not in WHOLE:
        return None
    return exp.cast(_form("bround(:number)", number=node.this), node.args["to"].copy())


def _try_double(node: exp.Expr) -> exp.Expr:
    # Without a match it is the empty text, which is no number.
    return _form(
        "try_cast(replace(regexp_extract(cast(:text as string), :number, 1), '_', '') as double)",
        text=node.this,
        number=exp.Literal.string(NUMBER),
    )


def _try_moment(node: exp.Expr) -> exp.Expr:
    # Spark would read '2026' as well.
    return _form(
        "case when cast(:text as string) rlike :moment then try_cast(:text as timestamp) end",
        text=node.this,
        moment=exp.Literal.string(MOMENT),
    )


def _try_cast(node: exp.Expr) -> exp.Expr:
    is_double = node.args["to"].this is exp.DType.DOUBLE
    return _try_double(node) if is_double else _try_moment(node)


def places_of(node: exp.Expr) -> list[exp.Expr]:
    """Return the places that a JSON function looks at: one, or the items of a list of them."""
    place = node.expression
    return list(place.expressions) if isinstance(place, exp.Array) else [place]


def _json(node: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    place = node.expression
    if isinstance(place, exp.Placeholder):
        return node.this, exp.Placeholder(this=path_parameter(place.name))
    if isinstance(place, exp.JSONPath):
        steps = "".join(_step(key.name) for key in place.find_all(exp.JSONPathKey))
        return node.this, exp.Literal.string("$" + steps)
    return node.this, exp.Literal.string(json_path(place.name))


def _json_text(node: exp.Expr) -> exp.Expr:
    if isinstance(node.expression, exp.Array):
        each = [
            exp.JSONExtractScalar(this=node.this.copy(), expression=place.copy())
            for place in places_of(node)
        ]
        return exp.Array(expressions=[_json_text(one) for one in each])
    text, place = _json(node)
    # Only the first sees that the whole text is JSON, only the second writes numbers as DuckDB
    # does, and only the third finds every name.
    return _form(
        "case when variant_get(try_parse_json(:text), :place) is not null"
        " then coalesce(get_json_object(:text, :place),"
        " try_variant_get(try_parse_json(:text), :place, 'string')) end",
        text=text,
        place=place,
    )


def _json_type(node: exp.Expr) -> exp.Expr:
    text, place = _json(node)
    # To DuckDB, whole numbers are of two kinds: below zero, and from there up to 2**64.
    return _form(
        "case when schema_of_variant(variant_get(try_parse_json(:text), :place)) in ('BIGINT',"
        " 'DECIMAL(19,0)', 'DECIMAL(20,0)')"
        " and try_variant_get(try_parse_json(:text), :place, 'decimal(20, 0)')"
        " between 0 and 18446744073709551615 then 'UBIGINT' else try_element_at(map("
        "'BIG', 'BIGINT', 'DEC', 'DOUBLE', 'DOU', 'DOUBLE', 'STR', 'VARCHAR', 'BOO', 'BOOLEAN',"
        " 'OBJ', 'OBJECT', 'ARR', 'ARRAY', 'VOI', 'NULL'),"
        " substring(schema_of_variant(variant_get(try_parse_json(:text), :place)), 1, 3)) end",
        text=text,
        place=place,
    )


def _contains(node: exp.Expr) -> exp.Expr:
    # Where a null is among the items, Spark does not know; DuckDB says no.
    return _form(
        "case when :list is not null and :item is not null"
        " then coalesce(array_contains(:list, :item), false) end",
        list=node.this,
        item=node.expression,
    )


def _by(name: str) -> Callable[[exp.Expr], exp.Expr]:
    # DuckDB passes over rows whose value is null, Spark over those whose order is.
    text = f"{name}(:value, case when :value is not null then :rank end)"
    return lambda node: _form(text, value=node.this, rank=node.expression)


def _extract(node: exp.Expr) -> exp.Expr:
    return _form("regexp_extract(:text, :of, 0)", text=node.this, of=node.expression)


def _function(node: exp.Expr) -> exp.Expr:
    parts = {f"p{place}": part for place, part in enumerate(node.expressions)}
    return _form(FUNCTIONS[node.name.lower()], **parts)


# By class of what was parsed; None leaves it as it is.
FORMS: Mapping[type[exp.Expr], Callable[[exp.Expr], exp.Expr | None]] = {
    exp.Anonymous: _function,
    exp.ArgMax: _by("max_by"),
    exp.ArgMin: _by("min_by"),
    exp.ArrayContains: _contains,
    exp.Bracket: _item,
    exp.Cast: _cast,
    exp.Div: _quotient,
    # Of a null, Spark's isnan says no; and to both, NaN is equal to itself.
    exp.IsNan: lambda node: _form(":number = double('NaN')", number=node.this),
    exp.IsInf: lambda node: _form("abs(:number) = double('Infinity')", number=node.this),
    exp.JSONExtractScalar: _json_text,
    exp.JSONType: _json_type,
    exp.Literal: _number,
    exp.RegexpExtract: _extract,
    # None of Spark's forms for what may stand in it raises.
    exp.Try: lambda node: node.this,
    exp.TryCast: _try_cast,
}
