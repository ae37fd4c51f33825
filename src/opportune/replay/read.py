"""Read a campaign's file into columns, and list everything in it that the schema does not allow."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv, parquet

from opportune import decisions
from opportune.errors import nearest
from opportune.files import Kind, UnusableFile, digest, kind_of, opened
from opportune.replay.model import Campaign, LoggedFeature, Schema

__all__ = ["read_campaign"]

Floats = NDArray[np.float64]

MOST_ROWS = 5_000_000
MOST_LEVELS = 50
MOST_CHARACTERS = 40


def read_campaign(path: Path, schema: Schema) -> Campaign:
    """Read ``path``, Parquet or CSV with a header, as ``schema`` says.

    Rows are counted from 1, the header not included. Raises ``FileNotFound``, or ``UnusableFile``
    with a line for every mistake: the column, how many rows, the first of them, what is allowed.
    """
    table, digest = _table(path)
    file = _File(path.name, table, schema)
    file.check_columns()
    campaign = Campaign(
        file=path.name,
        digest=digest,
        schema=schema,
        traits=pa.table({each.column: file.trait(each) for each in schema.features}),
        features=tuple(file.feature(each) for each in schema.features),
        actions=file.actions(),
        propensities=file.propensities(),
        dimension_propensities=file.dimension_propensities(),
        rewards={each.name: file.outcome(each.column, each.kind) for each in schema.outcomes},
        rank=file.rank(),
        planned_shares=dict(_planned(schema)),
        fingerprint=_fingerprint(digest, schema),
    )
    file.check_size()
    if file.problems:
        raise UnusableFile(file.problems)
    return campaign


def _table(path: Path) -> tuple[pa.Table, str]:
    """The file's rows, and a digest of its bytes."""
    known = digest(path)
    try:
        table = _rows(path, kind_of(path))
    except (pa.ArrowException, OSError) as cause:
        raise UnusableFile(
            [f"{path.name}: this is neither Parquet nor CSV with a header: {cause}"]
        ) from cause
    if not 0 < table.num_rows <= MOST_ROWS:
        raise UnusableFile([f"{path.name}: {table.num_rows} rows; 1 to {MOST_ROWS} are allowed."])
    return table, known


def _rows(path: Path, kind: Kind) -> pa.Table:
    if kind == "parquet":
        return parquet.read_table(path)
    with opened(path) as stream:
        text = csv.ConvertOptions(strings_can_be_null=True)
        return csv.read_csv(stream, convert_options=text)


def _fingerprint(digest: str, schema: Schema) -> str:
    known = f"{digest} {replace(schema, where='', title='')!r}"
    return hashlib.blake2b(known.encode(), digest_size=6).hexdigest()


def _planned(schema: Schema) -> Iterator[tuple[tuple[str, ...], float]]:
    """The share of each action where it does not depend on the row."""
    given = schema.propensity
    if isinstance(given, str):
        return
    for values in product(*(each.options.items() for each in schema.dimensions)):
        names = tuple(option for _, option in values)
        if isinstance(given, float):
            yield names, given
        else:
            columns = [given[each.column] for each in schema.dimensions]
            yield (
                names,
                prod(column[value] for column, (value, _) in zip(columns, values, strict=True)),
            )


class _File:
    """Reads column after column; a wrong one becomes a problem and a stand-in of its shape."""

    def __init__(self, name: str, table: pa.Table, schema: Schema) -> None:
        self.name = name
        self.table = table
        self.schema = schema
        self.problems: list[str] = []

    def check_columns(self) -> None:
        """Note every column that is missing, or that is there more than once."""
        schema = self.schema
        used = [
            *(each.column for each in schema.features),
            *(each.column for each in schema.dimensions),
            *(each.column for each in schema.outcomes),
            *([schema.propensity] if isinstance(schema.propensity, str) else []),
            *([schema.time] if schema.time else []),
        ]
        names = self.table.column_names
        for column in dict.fromkeys(used):
            if names.count(column) > 1:
                self.wrong(column, f"there are {names.count(column)} columns of this name.")
            elif column not in names:
                self.wrong(column, f"there is no such column. {nearest(column, names)}")

    def check_size(self) -> None:
        """Note when there are too few rows for the days and the held-out part."""
        rows, schema = self.table.num_rows, self.schema
        held_out = round(rows * schema.held_out_share)
        if held_out < 2 or rows - held_out < schema.batches:
            self.problems.append(
                f"{self.name}: {rows} rows make {held_out} held-out and {rows - held_out} training "
                f"rows; at least 2 and {schema.batches} (one a batch) are needed. Give more rows, "
                f"or set 'batches' and 'held_out_share' in {schema.where}."
            )

    def trait(self, feature: LoggedFeature) -> pa.ChunkedArray:
        """The column as it becomes a trait: texts or numbers, nothing where it is missing."""
        column = self._column(feature.column)
        if column is None:
            return pa.nulls(self.table.num_rows, pa.float64())
        if feature.categorical:
            return column.cast(pa.string())
        if not _is_number(column.type):
            self.wrong(
                feature.column,
                f"it holds {column.type}, not numbers. List it under 'categorical', or give the "
                "categories with 'one_of'.",
            )
            return pa.nulls(self.table.num_rows, pa.float64())
        values = _floats(column)
        return pa.array(values, mask=~np.isfinite(values))

    def feature(self, feature: LoggedFeature) -> decisions.Feature:
        """The feature with its categories; all that occur, sorted, when the schema names none."""
        column = self._column(feature.column)
        if not feature.categorical or feature.one_of or column is None:
            return decisions.Feature(trait=feature.column, one_of=feature.one_of)
        levels = sorted(pc.unique(column.cast(pa.string()).drop_null()).to_pylist())
        if not 0 < len(levels) <= MOST_LEVELS:
            self.wrong(
                feature.column,
                f"it has {len(levels)} categories, 1 to {MOST_LEVELS} are allowed. Name the ones "
                "that matter with 'one_of', or leave the column out.",
            )
        return decisions.Feature(trait=feature.column, one_of=tuple(levels))

    def actions(self) -> NDArray[np.int16]:
        """``(n, D)`` option indices."""
        columns = [
            self._indices(each.column, tuple(each.options)) for each in self.schema.dimensions
        ]
        return np.stack(columns, axis=1).astype(np.int16)

    def propensities(self) -> Floats:
        """``(n,)`` probability of the logged action."""
        given = self.schema.propensity
        if not isinstance(given, str):
            return np.asarray(self._planned_propensities().prod(axis=1))
        column = self._column(given)
        if column is None:
            return np.ones(self.table.num_rows)
        if not _is_number(column.type):
            self.wrong(given, f"it holds {column.type}, not numbers above 0 and at most 1.")
            return np.ones(self.table.num_rows)
        values = _floats(column)
        self._note(given, ~((values > 0) & (values <= 1)), "must be above 0 and at most 1", values)
        return values

    def dimension_propensities(self) -> Floats:
        """``(n, D)`` probability of each option by itself, NaN where the file does not tell."""
        given = self.schema.propensity
        width = len(self.schema.dimensions)
        if not isinstance(given, str):
            return self._planned_propensities()
        if width == 1:
            return self.propensities()[:, None]
        return np.full((self.table.num_rows, width), np.nan)

    def outcome(self, name: str, kind: str) -> Floats:
        """``(n,)`` rewards."""
        column = self._column(name)
        if column is None:
            return np.zeros(self.table.num_rows)
        if not _is_number(column.type):
            self.wrong(
                name, f"it holds {column.type}; an outcome must be a number, or true or false."
            )
            return np.zeros(self.table.num_rows)
        values = _floats(column)
        if kind == "binary":
            self._note(name, (values != 0) & (values != 1), "must be 0 or 1", values)
        else:
            self._note(name, ~np.isfinite(values), "must be a finite number", values)
        return values

    def rank(self) -> NDArray[np.int64]:
        """``(n,)`` place of each row's time among all times."""
        none = np.zeros(self.table.num_rows, dtype=np.int64)
        column = self._column(self.schema.time) if self.schema.time else None
        if column is None or not self.schema.time:
            return none
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            try:
                column = column.cast(pa.timestamp("us"))
            except pa.ArrowInvalid as error:
                self.wrong(
                    self.schema.time, f"{error}. Write times as 2026-01-31 or 2026-01-31T09:30:00."
                )
                return none
        self._note(
            self.schema.time,
            pc.is_null(column, nan_is_null=True).to_numpy(),
            "must be given",
            column,
        )
        return np.asarray(pc.rank(column, tiebreaker="dense").to_numpy(), dtype=np.int64)

    def wrong(self, column: str, message: str) -> None:
        """Note a problem with a column, once."""
        line = f"{self.name}: column {column!r}: {message}"
        if line not in self.problems:
            self.problems.append(line)

    def _column(self, name: str) -> pa.ChunkedArray | None:
        return self.table[name] if self.table.column_names.count(name) == 1 else None

    def _indices(self, name: str, values: Sequence[str]) -> NDArray[np.int64]:
        column = self._column(name)
        if column is None:
            return np.zeros(self.table.num_rows, dtype=np.int64)
        texts = column.cast(pa.string())
        found = pc.fill_null(pc.index_in(texts, pa.array(values, pa.string())), -1).to_numpy()
        bad = np.flatnonzero(found < 0)
        if bad.size:
            first = texts[int(bad[0])].as_py()
            allowed = nearest(first or "", values)
            self.wrong(
                name,
                f"{bad.size} rows have a value that is no option, the first is row {bad[0] + 1} "
                f"({_shown(first)}). {allowed}",
            )
        return np.asarray(np.maximum(found, 0), dtype=np.int64)

    def _planned_propensities(self) -> Floats:
        given = self.schema.propensity
        columns = []
        for dimension in self.schema.dimensions:
            values = tuple(dimension.options)
            shares = [1 / len(values)] * len(values)
            if isinstance(given, Mapping):
                shares = [given[dimension.column][value] for value in values]
            columns.append(np.array(shares)[self._indices(dimension.column, values)])
        return np.stack(columns, axis=1)

    def _note(
        self, name: str, bad: NDArray[np.bool_], must: str, values: Floats | pa.ChunkedArray
    ) -> None:
        rows = np.flatnonzero(bad)
        if rows.size:
            first = values[int(rows[0])]
            shown = _shown(first.as_py() if isinstance(first, pa.Scalar) else float(first))
            self.wrong(
                name,
                f"{rows.size} rows are wrong, the first is row {rows[0] + 1} ({shown}): it {must}.",
            )


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_decimal(kind)
    )


def _floats(column: pa.ChunkedArray) -> Floats:
    numbers = column.cast(pa.uint8()) if pa.types.is_boolean(column.type) else column
    floats = pc.fill_null(numbers.cast(pa.float64(), safe=False), np.nan)
    return np.array(floats.to_numpy(), dtype=np.float64)


def _shown(value: object) -> str:
    if value is None or value != value:
        return "missing"
    return repr(value)[:MOST_CHARACTERS]
