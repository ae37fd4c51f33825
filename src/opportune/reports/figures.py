"""A report as one long table, a row a number, and the files that are made of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa
from pyarrow import parquet

from opportune.errors import InvalidInput
from opportune.reports.decisions_csv import safe_text
from opportune.reports.model import DayOfVariant, Performance
from opportune.reports.results import Results, results_document
from opportune.stats import Lift

__all__ = [
    "FIGURES",
    "FORMS",
    "InvalidReportForm",
    "figure_table",
    "figures",
    "report_file",
    "table_file",
]

FORMS = ("json", "csv", "parquet")
"""The forms that need no page; "html" is the fourth."""

# ``part`` is a card, chart or table of the page; ``day`` is null where a number is over all days.
FIGURES = pa.schema(
    [
        pa.field("use_case", pa.string(), nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("as_of", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("part", pa.string(), nullable=False),
        pa.field("day", pa.date32()),
        pa.field("group", pa.string(), nullable=False),
        pa.field("measure", pa.string(), nullable=False),
        pa.field("unit", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("low", pa.float64()),
        pa.field("high", pa.float64()),
    ]
)

Row = dict[str, Any]


class OfVersion(Protocol):
    """A report about one version of a use case."""

    @property
    def use_case(self) -> str:
        """Return its name."""
        ...

    @property
    def version(self) -> int:
        """Return which version."""
        ...

    @property
    def as_of(self) -> datetime:
        """Return when it was true."""
        ...


class InvalidReportForm(InvalidInput):
    """A report was asked for in a form that there is none of."""

    code = "invalid_report_form"


def figures(found: Results) -> pa.Table:
    """Return every number of ``found`` as `FIGURES`: part by part, in the order of the page."""
    return figure_table(found, (row for part in PARTS for row in part(found)))


def figure_table(found: OfVersion, rows: Iterable[Row]) -> pa.Table:
    """Return ``rows`` of the report ``found`` as `FIGURES`; what a row leaves out is empty."""
    same = {"use_case": found.use_case, "version": found.version, "as_of": found.as_of}
    empty: Row = {"day": None, "group": "", "unit": "", "low": None, "high": None}
    return pa.Table.from_pylist([{**same, **empty, **row} for row in rows], schema=FIGURES)


def report_file(found: Results, form: str) -> bytes:
    """Return the report as a file of one of `FORMS`. Raises ``InvalidReportForm``."""
    return table_file(results_document(found), figures(found), form)


def table_file(document: Mapping[str, object], table: pa.Table, form: str) -> bytes:
    """Return a report as a file: its document, or its table. Raises ``InvalidReportForm``."""
    if form == "json":
        return json.dumps(document).encode()
    if form == "csv":
        return _csv(table).encode()
    if form == "parquet":
        written = pa.BufferOutputStream()
        parquet.write_table(table, written)
        return bytes(written.getvalue().to_pybytes())
    raise InvalidReportForm(
        f"A report cannot be written as '{form}' here. Allowed: {', '.join(FORMS)}, and html where "
        "there are pages."
    )


def _cards(found: Results) -> Iterator[Row]:
    performance, unit = found.performance, found.performance.metric.unit
    for result in (performance.treatment, performance.control):
        named = {"part": "cards", "group": result.variant}
        yield {**named, "measure": "profiles", "unit": "profiles", "value": result.profiles}
        yield {**named, "measure": "rewarded", "unit": "profiles", "value": result.rewarded}
        yield {**named, "measure": "reward_sum", "unit": unit, "value": result.reward_sum}
        of_profile = f"{unit} per profile"
        yield {**named, "measure": "reward_mean", "unit": of_profile, "value": result.reward_mean}
    yield {"part": "cards", "measure": "lift", **_lift(performance.lift)}
    if found.champion is not None:
        lift = _lift(found.champion.lift)
        yield {"part": "cards", "group": "champion", "measure": "lift", **lift}
    if performance.adjusted is not None and performance.adjusted.lift is not None:
        adjusted = performance.adjusted
        yield {"part": "cards", "measure": "adjusted_lift", **_lift(performance.adjusted.lift)}
        shares = {"explained_share": adjusted.explained_share, "narrower": adjusted.narrower}
        for measure, value in shares.items():
            yield {"part": "cards", "measure": measure, "unit": "share", "value": value}
    yield from _days_counted(performance)


def _days_counted(performance: Performance) -> Iterator[Row]:
    for measure in ("decided_days", "mature_days"):
        value = getattr(performance, measure)
        yield {"part": "cards", "measure": measure, "unit": "days", "value": value}


def _days(found: Results) -> Iterator[Row]:
    unit = f"{found.performance.metric.unit} per decision"
    for each in found.trend:
        groups: tuple[tuple[str, DayOfVariant], ...] = (
            ("treatment", each.treatment),
            ("control", each.control),
        )
        named = {"part": "days", "day": each.day}
        for group, of_day in groups:
            row = {**named, "group": group}
            yield {**row, "measure": "decisions", "unit": "decisions", "value": of_day.decisions}
            measure = f"reward_mean_{found.rolling_days}d"
            yield {**row, "measure": measure, "unit": unit, "value": of_day.reward_mean}
        explored = {"group": "treatment", "measure": "exploration_share", "unit": "share"}
        yield {**named, **explored, "value": each.exploration_share}


def _uplift(found: Results) -> Iterator[Row]:
    for each in found.uplift:
        yield {"part": "uplift", "day": each.day, "measure": "lift", **_lift(each.lift)}


def _drivers(found: Results) -> Iterator[Row]:
    tree, unit = found.drivers, f"{found.performance.metric.unit} per profile"
    for each in tree.factors:
        row = {"part": "drivers", "measure": each.name, "unit": each.unit}
        yield {**row, "group": "treatment", "value": each.treatment}
        yield {**row, "group": "control", "value": each.control}
        yield {**row, "group": "contribution", "unit": unit, "value": each.contribution}
    yield {"part": "drivers", "measure": "difference", "unit": unit, "value": tree.difference}


def _guard_rails(found: Results) -> Iterator[Row]:
    for each in found.guard_rails:
        row = {"part": "guard_rails", "group": each.metric, "unit": f"{each.unit} per recipient"}
        value = {"value": each.value, "low": each.low, "high": each.high}
        yield {**row, "measure": "mean", **value}
        yield {**row, "measure": each.direction, "value": each.limit}
        yield {**row, "measure": "recipients", "unit": "profiles", "value": each.recipients}
        yield {**row, "measure": "adjusted_p_value", "unit": "chance", "value": each.adjusted}


def _report_metrics(found: Results) -> Iterator[Row]:
    for each in found.report_metrics:
        name, unit = each.metric.name, f"{each.metric.unit} per profile"
        for own in each.groups:
            row = {"part": "report_metrics", "group": own.group}
            value = {"value": own.value, "low": own.low, "high": own.high}
            yield {**row, "measure": name, "unit": unit, **value}
            profiles = {"measure": f"{name}_profiles", "value": own.profiles}
            yield {**row, "unit": "profiles", **profiles}
        same = {"part": "report_metrics", "measure": f"{name}_lift"}
        yield {**same, **_lift(each.lift)}
        chance = {"measure": f"{name}_adjusted_p_value", "value": each.adjusted}
        yield {**same, **chance, "unit": "chance"}


def _lift(lift: Lift) -> Row:
    return {"unit": "share", "value": lift.relative, "low": lift.low, "high": lift.high}


def _csv(table: pa.Table) -> str:
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(table.column_names)
    for row in table.to_pylist():
        rows.writerow([_cell(value) for value in row.values()])
    return written.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, str):
        return safe_text(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    # Days and times as ISO has them.
    return value.isoformat() if hasattr(value, "isoformat") else value


PARTS = (_cards, _days, _uplift, _drivers, _guard_rails, _report_metrics)
