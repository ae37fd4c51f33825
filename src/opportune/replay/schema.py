"""Read what the columns of a campaign's file mean, and list every mistake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from opportune.documents import Document, InvalidDefinition
from opportune.errors import nearest
from opportune.files import read_toml
from opportune.replay.model import LoggedDimension, LoggedFeature, Outcome, Propensity, Schema

__all__ = ["parse_schema", "read_schema"]

PAGE = "Replay a campaign"
KINDS = ("binary", "amount")
MOST_BATCHES = 365
MOST_LEVELS = 50
MOST_OPTIONS = 63
# Single actions are listed one by one and every policy is summed over all of them.
MOST_ACTIONS = 1_000
ROUNDING = 1e-3


def read_schema(path: Path) -> Schema:
    """Read the TOML file ``path``; see `parse_schema`."""
    return parse_schema(read_toml(path, page=PAGE), where=path.name)


def parse_schema(body: Mapping[str, object], *, where: str) -> Schema:
    """Read the table of a schema; ``where`` begins each message.

    Raises ``InvalidDefinition`` with a line for every mistake.
    """
    problems: list[str] = []
    document = Document(body, where, problems)
    dimensions = tuple(_dimension(table) for table in document.tables("dimensions"))
    outcomes = tuple(_outcome(table) for table in document.tables("outcomes"))
    schema = Schema(
        where=where,
        title=document.text("title", where),
        features=_features(document),
        dimensions=dimensions,
        control=_control(document, dimensions),
        propensity=_propensity(document, dimensions),
        outcomes=outcomes,
        time=document.text("time") if "time" in body else None,
        batches=_whole(document, "batches", 20, most=MOST_BATCHES),
        held_out_share=document.number("held_out_share", 0.3, low=0.05, high=0.95),
    )
    if schema.time is None:
        document.optional("time")
    document.close()
    _check(document, schema)
    if problems:
        raise InvalidDefinition(problems)
    return schema


def _features(document: Document) -> tuple[LoggedFeature, ...]:
    items = document.items("features")
    categorical = document.texts("categorical", ())
    features = tuple(
        _feature(document, place, item, categorical) for place, item in enumerate(items)
    )
    columns = [feature.column for feature in features]
    for name in categorical:
        if name not in columns:
            document.wrong("categorical", f"{name!r} is no feature. {nearest(name, columns)}")
    _twice(document, "features", columns)
    if len(set(columns)) == len(columns):
        _twice(document, "features", [feature.name for feature in features])
    return features


def _feature(
    document: Document, place: int, item: object, categorical: Sequence[str]
) -> LoggedFeature:
    if isinstance(item, str) and item:
        return LoggedFeature(column=item, name=item, categorical=item in categorical, one_of=())
    where = f"{document.where}: features[{place}]"
    if not isinstance(item, Mapping):
        document.problems.append(
            f"{where}: {item!r} given, must be the name of a column or a table with 'column' and "
            "'one_of' or 'name'."
        )
        return LoggedFeature(column="", name="", categorical=False, one_of=())
    table = Document(item, where, document.problems)
    column = table.text("column")
    # Called otherwise, it need not be a category.
    one_of = table.texts("one_of", ()) if "name" in item else table.texts("one_of")
    feature = LoggedFeature(
        column=column,
        name=table.text("name", column),
        categorical=bool(one_of) or "name" not in item or column in categorical,
        one_of=one_of,
    )
    table.close()
    if len(feature.one_of) > MOST_LEVELS:
        table.wrong("one_of", f"{len(feature.one_of)} given, at most {MOST_LEVELS} allowed.")
    _twice(table, "one_of", feature.one_of)
    return feature


def _dimension(table: Document) -> LoggedDimension:
    column = table.text("column")
    name = table.text("name", column)
    values = table.table("options")
    options = {value: values.text(value) for value in values.body}
    table.close()
    if not 1 <= len(options) <= MOST_OPTIONS:
        table.wrong(
            "options",
            f"{len(options)} given, 1 to {MOST_OPTIONS} allowed: each value of the column with the "
            "name of its option.",
        )
    _twice(table, "options", list(options.values()))
    return LoggedDimension(name=name, column=column, options=options)


def _outcome(table: Document) -> Outcome:
    column = table.text("column")
    outcome = Outcome(name=table.text("name", column), column=column, kind=table.text("kind"))
    table.close()
    if outcome.kind and outcome.kind not in KINDS:
        table.wrong("kind", f"{outcome.kind!r} given. {nearest(outcome.kind, KINDS)}")
    return outcome


def _control(document: Document, dimensions: Sequence[LoggedDimension]) -> tuple[str, ...]:
    table = document.table("control")
    chosen = []
    for dimension in dimensions:
        value = table.text(dimension.column)
        if value and value not in dimension.options:
            table.wrong(
                dimension.column, f"{value!r} is no value. {nearest(value, dimension.options)}"
            )
        chosen.append(dimension.options.get(value, ""))
    table.close()
    return tuple(chosen)


def _propensity(document: Document, dimensions: Sequence[LoggedDimension]) -> Propensity:
    given = document.optional("propensity")
    if isinstance(given, Mapping):
        return _shares(document.table("propensity"), dimensions)
    if isinstance(given, str) and given:
        return given
    if isinstance(given, int | float) and not isinstance(given, bool):
        return _constant(document, float(given), dimensions)
    document.wrong(
        "propensity",
        f"{'missing' if given is None else f'{given!r} given'}, must be the name of a column, one "
        "number for every action, or a table of shares per dimension.",
    )
    return ""


def _constant(document: Document, given: float, dimensions: Sequence[LoggedDimension]) -> float:
    actions = 1
    for dimension in dimensions:
        actions *= max(1, len(dimension.options))
    if abs(given * actions - 1) > ROUNDING:
        document.wrong(
            "propensity",
            f"{given:g} given for each of {actions} actions, which adds up to "
            f"{given * actions:g}, not 1. Allowed: {1 / actions:.6g}, or a table of shares, or a "
            "column.",
        )
    return given


def _shares(table: Document, dimensions: Sequence[LoggedDimension]) -> dict[str, dict[str, float]]:
    shares: dict[str, dict[str, float]] = {}
    for dimension in dimensions:
        values = table.table(dimension.column)
        given = {value: values.number(value, low=0.0, high=1.0) for value in dimension.options}
        values.close()
        shares[dimension.column] = given
        for value, share in given.items():
            if value in values.body and not share:
                values.wrong(
                    value, "0 given, must be above 0: what was never played teaches nothing."
                )
        total = sum(given.values())
        if values.body and abs(total - 1) > ROUNDING:
            table.wrong(dimension.column, f"the shares add up to {total:g}, must be 1.")
    table.close()
    return shares


def _whole(document: Document, key: str, default: int, *, most: int) -> int:
    given = document.number(key, default, low=1, high=most)
    if given != int(given):
        document.wrong(key, f"{given:g} given, must be a whole number.")
    return int(given)


def _check(document: Document, schema: Schema) -> None:
    _twice(document, "dimensions", [each.name for each in schema.dimensions])
    _twice(document, "outcomes", [each.name for each in schema.outcomes])
    # What is only known after the decision must not be known when deciding.
    after = {
        **{each.column: "what was chosen" for each in schema.dimensions},
        **{each.column: "an outcome" for each in schema.outcomes},
    }
    if isinstance(schema.propensity, str):
        after[schema.propensity] = "the propensity"
    for feature in schema.features:
        if feature.column in after:
            document.wrong(
                "features",
                f"{feature.column!r} is {after[feature.column]}: unknown before deciding.",
            )
    actions = 1
    for dimension in schema.dimensions:
        actions *= max(1, len(dimension.options))
    if schema.dimensions and all(len(each.options) == 1 for each in schema.dimensions):
        document.wrong(
            "dimensions", "there is nothing to choose; one of them must have at least 2 options."
        )
    if actions > MOST_ACTIONS:
        document.wrong("dimensions", f"{actions} actions, at most {MOST_ACTIONS} allowed.")


def _twice(document: Document, key: str, names: Sequence[str]) -> None:
    for name in sorted({name for name in names if name and list(names).count(name) > 1}):
        document.wrong(key, f"{name!r} stands there twice, names must differ.")
