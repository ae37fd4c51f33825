"""The other tabs of a use case as files: what was chosen, how it runs, what happened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

import pyarrow as pa

from opportune.decisions import UseCase
from opportune.errors import InvalidInput, nearest
from opportune.events import Metric
from opportune.reports.document import to_document
from opportune.reports.figures import figure_table, table_file
from opportune.reports.insights import insights
from opportune.reports.model import BegunWith, Headline, Insights
from opportune.reports.performance import begun_with, headline
from opportune.reports.use_case_health import UseCaseHealth, use_case_health
from opportune.reports.use_case_timeline import UseCaseTimeline, use_case_timeline
from opportune.stats import Lift
from opportune.storage import Stores

__all__ = [
    "HISTORY",
    "TABS",
    "InvalidTab",
    "Tab",
    "TabReport",
    "check_tab",
    "tab_file",
    "tab_report",
]

Tab = Literal["insights", "health", "timeline"]
TABS: tuple[Tab, ...] = get_args(Tab)

# What happened has no numbers: an entry a row, what changed a line each.
HISTORY = pa.schema(
    [
        pa.field("use_case", pa.string(), nullable=False),
        pa.field("as_of", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("at", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("by", pa.string(), nullable=False),
        pa.field("details", pa.string(), nullable=False),
    ]
)

Row = dict[str, Any]


class InvalidTab(InvalidInput):
    """A report was asked for a tab that there is none of."""

    code = "invalid_tab"


@dataclass(frozen=True, slots=True, kw_only=True)
class TabReport:
    """What one tab shows, below the sentence that every tab begins with.

    ``table`` has every number of it, as `FIGURES`, or what happened as `HISTORY`; ``begun_with`` is
    what the policy knew before its first own day.
    """

    tab: Tab
    head: Headline
    found: Insights | UseCaseHealth | UseCaseTimeline
    table: pa.Table
    begun_with: BegunWith | None


def check_tab(given: str) -> Tab:
    """Return the tab of this name. Raises ``InvalidTab``."""
    found = next((tab for tab in TABS if tab == given), None)
    if found is None:
        raise InvalidTab(f"There is no tab '{given}'. {nearest(given, ('performance', *TABS))}")
    return found


def tab_report(
    stores: Stores,
    use_case: UseCase,
    metric: Metric,
    tab: Tab,
    *,
    now: datetime,
    segment: str = "",
) -> TabReport:
    """Report what a tab shows; with a ``segment``, what was chosen for its members."""
    head = headline(stores, use_case, metric, now=now)
    found: Insights | UseCaseHealth | UseCaseTimeline
    if tab == "insights":
        found = insights(stores, use_case, now=now, segment=segment)
        table = figure_table(found, _insights(found))
    elif tab == "health":
        found = use_case_health(stores, use_case, metric, now=now)
        table = figure_table(found, _health(found))
    else:
        found = use_case_timeline(stores.state, use_case.name, now=now)
        table = _history(found)
    known = begun_with(stores, use_case)
    return TabReport(tab=tab, head=head, found=found, table=table, begun_with=known)


def tab_file(report: TabReport, form: str) -> bytes:
    """Return the tab as a file of one of `FORMS`. Raises ``InvalidReportForm``."""
    return table_file(to_document(report.found), report.table, form)


def _insights(found: Insights) -> Iterator[Row]:
    yield from _choices(found)
    for each in found.days:
        row: Row = {"part": "explored", "day": each.day, "group": "treatment"}
        yield {**row, "measure": "decisions", "unit": "decisions", "value": each.decisions}
        share = {"unit": "share", "value": each.exploration_share}
        yield {**row, "measure": "exploration_share", **share}
    for mover in found.movers:
        row = {"part": "movers", "measure": mover.dimension, "unit": "log-odds"}
        yield {**row, "group": mover.trait or "", "value": mover.moved}
    for gain in found.gains:
        row = {"part": "gains", "group": gain.segment}
        yield {**row, "measure": "lift", **_lift(gain.lift)}
        for result in (gain.treatment, gain.control):
            measure = f"{result.variant}_profiles"
            yield {**row, "measure": measure, "unit": "profiles", "value": result.profiles}
        yield {**row, "measure": "adjusted_p_value", "unit": "chance", "value": gain.adjusted}
    for contrast in found.contrasts:
        row = {"part": "contrasts", "measure": f"{contrast.dimension}: {contrast.option}"}
        row |= {"unit": "share"}
        yield {**row, "group": contrast.group, "value": contrast.group_share}
        yield {**row, "group": contrast.others, "value": contrast.others_share}


def _choices(found: Insights) -> Iterator[Row]:
    for choice in found.choices:
        row: Row = {"part": "choices", "measure": choice.dimension, "unit": "share"}
        for each in choice.overall:
            yield {**row, "group": each.option, "value": each.share}
        for day in choice.days:
            for each, share in zip(choice.overall, day.shares, strict=True):
                yield {**row, "group": each.option, "day": day.day, "value": share}


def _health(found: UseCaseHealth) -> Iterator[Row]:
    yield from _funnel(found)
    for drift in found.drift:
        row: Row = {
            "part": "drift",
            "group": drift.feature,
            "measure": "stability",
            "unit": "index",
        }
        yield {**row, "value": drift.stability}
    for point in found.delays.points:
        row = {"part": "delays", "group": f"{point.age_hours} hours", "measure": "rewarded_by_then"}
        yield {**row, "unit": "share", **_bounded(point.share, point.low, point.high)}
    for tenth in found.calibration.tenths:
        row = {"part": "calibration", "group": f"tenth {tenth.tenth}"}
        unit = found.calibration.unit
        yield {**row, "measure": "decisions", "unit": "decisions", "value": tenth.decisions}
        yield {**row, "measure": "expected", "unit": unit, "value": tenth.expected}
        came = _bounded(tenth.came, tenth.low, tenth.high)
        yield {**row, "measure": "came", "unit": unit, **came}
    for run in found.runs:
        for step, seconds in run.seconds.items():
            row = {"part": "runs", "day": run.day, "group": step, "measure": "took"}
            yield {**row, "unit": "seconds", "value": seconds}
    for each in found.deliveries:
        row = {"part": "deliveries", "group": each.state, "measure": each.reason}
        yield {**row, "unit": "recommendations", "value": each.count}


def _funnel(found: UseCaseHealth) -> Iterator[Row]:
    funnel = found.funnel
    if funnel is None:
        return
    row: Row = {"part": "funnel", "day": funnel.day, "unit": "profiles"}
    for name in ("audience", "eligible", "decided", "control", "silent", "to_send", "sent"):
        yield {**row, "measure": name, "value": getattr(funnel, name)}
    for blocked in funnel.blocked:
        yield {**row, "group": blocked.reason, "measure": "blocked", "value": blocked.profiles}


def _history(found: UseCaseTimeline) -> pa.Table:
    same = {"use_case": found.use_case, "as_of": found.as_of}
    rows = [
        {
            **same,
            "at": each.at,
            "kind": each.kind,
            "title": each.title,
            "by": each.by,
            "details": "\n".join(each.details),
        }
        for each in found.incidents
    ]
    return pa.Table.from_pylist(rows, schema=HISTORY)


def _lift(lift: Lift) -> Row:
    return {"unit": "share", **_bounded(lift.relative, lift.low, lift.high)}


def _bounded(value: float | None, low: float | None, high: float | None) -> Row:
    return {"value": value, "low": low, "high": high}
