"""The one dialect of the engine's queries, DuckDB's, and how the same statement is said to Spark.

A translation can be wrong without an error: other rows, no complaint. So everything a statement may
be made of is listed here, as what was shown to mean the same on both engines or what has a form in
`forms` that does; whatever is not listed is refused, by its name, before anything runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from opportune.storage.forms import (
    FORMS,
    FUNCTIONS,
    JSON,
    WHOLE,
    NotPortable,
    item_parameter,
    json_path,
    path_parameter,
    places_of,
)

__all__ = ["NotPortable", "Translation", "arguments", "lengths", "to_spark", "translate"]

# What was compared on both engines, by the parser's names.
SAME = """
    Select From Join Where Group Having Qualify Order Ordered Limit Offset With CTE Union Except
    Intersect Distinct Subquery Table TableAlias Values Tuple Star
    Alias Column Identifier Literal Placeholder Boolean Null Paren Array DataType Var Interval
    And Or Not EQ NEQ GT GTE LT LTE Is NullSafeEQ NullSafeNEQ In Between Exists Case If Coalesce
    Nullif Like StartsWith EndsWith Contains RegexpExtract
    Add Sub Mul Div IntDiv Mod Neg Abs Floor Ceil Sqrt Exp Ln Pow Greatest Least IsNan IsInf
    BitwiseAnd DPipe Lower Upper Cast TryCast TimeToStr TimestampTrunc
    Bracket ArrayContains Explode Unnest Struct PropertyEQ JSONExtractScalar JSONType
    JSONPath JSONPathRoot JSONPathKey Try
    Count Sum Avg Min Max Median VariancePop Variance StddevPop StddevSamp ArgMax ArgMin LogicalOr
    LogicalAnd GroupConcat Filter
    Window WindowSpec RowNumber Rank DenseRank Lag Lead FirstValue LastValue
"""
AGREED = frozenset(SAME.split())
TYPES = WHOLE | {exp.DType.DOUBLE, exp.DType.DATE, exp.DType.TIMESTAMPTZ}
TEXTS = {exp.DType.TEXT, exp.DType.VARCHAR}


def _type(node: exp.Expr) -> bool:
    # How a number or a time is written as text differs; a JSON text is one already.
    is_json = isinstance(node.this, exp.Anonymous) and node.this.name.lower() == "to_json"
    kind = node.args["to"].this
    if kind in WHOLE and not isinstance(node.this, exp.Floor | exp.Ceil):
        # A tie of decimals falls to another side than one of doubles.
        return all(each.is_string or each.name.isdigit() for each in node.find_all(exp.Literal))
    return kind in TYPES or (kind in TEXTS and is_json)


def _pointer(node: exp.Expr) -> bool:
    place = node.expression
    if isinstance(place, exp.JSONPath):
        # '$.a.b': no wildcard, no place in a list.
        return all(type(key.this) is str for key in place.find_all(exp.JSONPathKey))
    is_literal = isinstance(place, exp.Literal) and place.name.startswith("/")
    return is_literal or (isinstance(place, exp.Placeholder) and bool(place.name))


def _place(node: exp.Expr) -> bool:
    place = node.expressions[0]
    is_literal = isinstance(place, exp.Literal) and place.name.isdigit()
    return is_literal or isinstance(place, exp.Column | exp.Placeholder)


def _plain_pattern(node: exp.Expr) -> bool:
    # What is said with a backslash or an anchor differs between regular expressions.
    pattern = node.expression
    is_plain = pattern.is_string and not re.search(r"[\\^$*]|\(\?", pattern.name)
    return is_plain and node.text("group") in {"", "0"} and node.args.get("parameters") is None


# What of an agreed construct is agreed.
LIMITS: Mapping[type[exp.Expr], Callable[[exp.Expr], bool]] = {
    exp.Bracket: _place,
    exp.Cast: _type,
    exp.Distinct: lambda node: node.args.get("on") is None,
    exp.GroupConcat: lambda node: isinstance(node.this, exp.Order),
    exp.JSONExtractScalar: _pointer,
    exp.JSONType: _pointer,
    exp.Like: lambda node: "\\" not in node.expression.name and node.expression.is_string,
    exp.Join: lambda node: not node.args.get("method"),
    # Positional ones would have to be counted.
    exp.Placeholder: lambda node: node.text("this").isidentifier(),
    exp.RegexpExtract: _plain_pattern,
    exp.TimeToStr: lambda node: node.text("format") in {"%Y%m%d", "%Y-%m-%d"},
    exp.TimestampTrunc: lambda node: node.text("unit").lower() in {"hour", "day", "month", "year"},
    exp.Try: lambda node: isinstance(node.this, JSON),
    exp.TryCast: lambda node: node.args["to"].this in {exp.DType.DOUBLE, exp.DType.TIMESTAMPTZ},
    exp.With: lambda node: not node.args.get("recursive"),
}

INSTEAD = {
    "ArrayAgg": "the order of its items is lost: keep rows, and order them",
    "CurrentDate": "give the day as a parameter",
    "CurrentTimestamp": "give the moment as a parameter",
    "DateDiff": "calculate with the columns that end in _us",
    "Extract": "calculate with the columns that end in _us",
    "hash": "compute it in Python: each engine has its own",
    "Join": "for the latest row before another, use row_number() over (...) = 1",
    "now": "give the moment as a parameter",
    "PercentileCont": "use median",
    "IgnoreNulls": "instead of any_value use min or max: which value it takes differs",
    "Rand": "draw in Python",
    "Round": "use floor(x * 100 + 0.5): which side a tie falls to differs",
    "TryCast": "only double and timestamptz are read alike",
    "TimeToUnix": "use epoch_us",
    "UnixToTime": "use make_timestamptz, of microseconds",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A statement for Spark; ``pointers`` are its parameters that name a place in a JSON text."""

    text: str
    pointers: frozenset[str]


def to_spark(sql: str) -> str:
    """Say one statement of DuckDB's dialect in Spark's; ``$name`` becomes ``:name``.

    >>> to_spark('select "values" from features where isnan(share) = $missing')
    "SELECT `values` FROM features WHERE (share = CAST('NaN' AS DOUBLE)) = :missing"

    Raises ``NotPortable`` when it has something in it that is not known to mean the same.
    """
    return translate(sql).text


@cache
def translate(sql: str, lengths: tuple[tuple[str, int], ...] = ()) -> Translation:
    """Say one statement of DuckDB's dialect in Spark's; see `to_spark`.

    ``lengths`` says which of its parameters are lists, and of how many items.
    """
    tree = _parse(sql)
    for node in tree.walk():
        _check(node, sql)
    items = {name: [item_parameter(name, place) for place in range(n)] for name, n in lengths}
    for node in list(tree.find_all(exp.Placeholder)):
        if node.name in items:
            # Spark binds no list with a null in it, nor one of whole and broken numbers.
            node.replace(exp.Array(expressions=[exp.Placeholder(this=n) for n in items[node.name]]))
    nodes = list(tree.walk())
    places = [each for node in nodes if isinstance(node, JSON) for each in places_of(node)]
    pointers = frozenset(place.name for place in places if isinstance(place, exp.Placeholder))
    # From the leaves up: what stands inside a form has its own form before it is put there.
    for node in reversed(nodes):
        said = FORMS[type(node)](node) if type(node) in FORMS else None
        if said is not None:
            node.replace(said)
    try:
        text = tree.sql(dialect="spark", unsupported_level=ErrorLevel.RAISE, comments=False)
    except SqlglotError as cause:
        raise NotPortable(f"A statement cannot be said to Spark: {cause}\n{sql}") from cause
    return Translation(text=text, pointers=pointers)


def arguments(translation: Translation, parameters: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters of a translated statement by the names that it has for them.

    >>> sql = "select json_extract_string(traits, $trait) as value from profiles"
    >>> arguments(translate(sql), {"trait": "/plan"})
    {'trait': '/plan', 'trait__path': "$['plan']"}
    """
    given = {name: value for name, value in parameters.items() if not isinstance(value, list)}
    for name, values in parameters.items():
        if isinstance(values, list):
            given |= {item_parameter(name, place): value for place, value in enumerate(values)}
    pointers = sorted(translation.pointers & given.keys())
    return given | {path_parameter(name): json_path(given[name]) for name in pointers}


def lengths(parameters: Mapping[str, object]) -> tuple[tuple[str, int], ...]:
    """Return which of ``parameters`` are lists, and how long: what `translate` asks for."""
    found = ((name, len(value)) for name, value in parameters.items() if isinstance(value, list))
    return tuple(sorted(found))


def _parse(sql: str) -> exp.Expr:
    try:
        found = [tree for tree in sqlglot.parse(sql, read="duckdb") if tree is not None]
    except SqlglotError as cause:
        raise NotPortable(f"A statement cannot be read as DuckDB's SQL: {cause}\n{sql}") from cause
    if len(found) != 1:
        raise NotPortable(f"{len(found)} statements were given; one is allowed.\n{sql}")
    return found[0]


def _check(node: exp.Expr, sql: str) -> None:
    """Refuse ``node`` unless it was shown to mean the same on every engine."""
    if isinstance(node, exp.Anonymous):
        name = node.name.lower()
        is_agreed = name in FUNCTIONS
    else:
        name = type(node).__name__
        limit = LIMITS.get(type(node))
        is_agreed = name in AGREED and (limit is None or limit(node))
    if not is_agreed:
        hint = INSTEAD.get(name, "storage/dialect.py lists what does")
        said = node.sql(dialect="duckdb")
        raise NotPortable(f"{name} does not mean the same on every engine ({hint}): {said}\n{sql}")
