"""Sum up the days of a use case that have no summary yet, out of the lake alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from opportune.decisions import UseCase
from opportune.events import Metric
from opportune.reports.by_segment import keep_segments
from opportune.reports.earlier import with_earlier
from opportune.reports.summary import (
    EDGES,
    PROFILE_TOTALS,
    ROOM,
    DaySummary,
    Decided,
    Earned,
    Tenth,
    Totals,
    keep,
    kept,
    numbered,
)
from opportune.storage import Stores, load_sql
from opportune.storage.rewrite import rewrite, tidy

__all__ = ["days_of", "summarise", "totals_now"]

TABLES = ("decisions", "rewards")
# Longer than any query of a report takes.
KEEP_HOURS = 2

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What holds of what was written, and what is to be made: days, oldest first.

    ``mature`` are all days whose rewards are in, ``added`` how many of them are summed up with
    their totals. ``totals`` are those of each profile ``through`` the last of these or the next,
    where the process that wrote them was killed before it wrote the summary.
    """

    known: Mapping[date, DaySummary]
    counts: Mapping[date, int]
    mature: Sequence[date]
    added: int
    totals: pa.Table
    through: date | None

    @property
    def stale(self) -> list[date]:
        """Days to sum up, mature ones that only lack totals among them."""
        fresh = set(self.mature[self.added :])
        return [day for day in self.counts if day not in self.known or day in fresh]


def days_of(stores: Stores, use_case: UseCase, metric: Metric | None = None) -> list[DaySummary]:
    """Return a summary of every decided day of this version, oldest first, as the lake is now.

    What `summarise` wrote is taken where it still holds; the rest is made here and not written.
    ``metric`` as there.
    """
    plan = _plan(stores, use_case)
    if plan is None:
        return []
    made = {day.day: day for day, _ in _made(stores, use_case, plan, metric)}
    return [made.get(day) or plan.known[day] for day in plan.counts]


def summarise(stores: Stores, use_case: UseCase, metric: Metric | None = None) -> list[date]:
    """Write what is missing of the days of ``use_case``, in this version; return those days.

    With its success ``metric`` it is also asked what profiles brought before their first decision.

    A second time it changes nothing. Killed anywhere it goes on, or starts anew where what was
    written does not fit together. Raises ``ConcurrentWrite`` where another process does so too.
    """
    stores.lake.create("profile_totals", PROFILE_TOTALS)
    plan = _plan(stores, use_case)
    if plan is None:
        return []
    gone = set(kept(stores.state, use_case)) - set(plan.counts)
    written: list[date] = []
    newest: tuple[date, pa.Table] | None = None
    for day, totals in _made(stores, use_case, plan, metric):
        if totals is not None:
            _keep_totals(stores, use_case, day.day, totals)
            newest = (day.day, totals)
        keep(stores, use_case, [day])
        written.append(day.day)
    if gone:
        keep(stores, use_case, [], gone=gone)
    if plan.added < len(plan.mature):
        _drop_older(stores, use_case)
    if written:
        # Last: who was a member cannot be known later, so what is killed here is left out.
        keep_segments(stores, use_case, max(plan.counts), newest)
    return written


def totals_now(stores: Stores, use_case: UseCase) -> pa.Table:
    """Return what each profile earned over the mature days, as the newest of `days_of` sums it.

    Columns of `PROFILE_TOTALS` without what is the same in all rows.
    """
    plan = _plan(stores, use_case)
    if plan is None or not plan.mature:
        return _nobody()
    totals = _so_far(stores, use_case) if plan.added == len(plan.mature) else plan.totals
    for _, made in _made(stores, use_case, plan, None):
        totals = totals if made is None else made
    return totals


def _plan(stores: Stores, use_case: UseCase) -> _Plan | None:
    if not all((stores.lake.folder / table).is_dir() for table in TABLES):
        # Before the first start of a worker: nothing was decided, and nothing is broken.
        return None
    counts = {row["day"]: row["decisions"] for row in _ask(stores, use_case, "decided_counts")}
    rewarded = {row["day"] for row in _ask(stores, use_case, "rewarded_days", ("rewards",))}
    mature = [day for day in counts if day in rewarded]
    holds = {
        day: each
        for day, each in kept(stores.state, use_case).items()
        if counts.get(day) == each.decisions
    }
    added = _added(holds, mature)
    totals = _so_far(stores, use_case) if 0 < added < len(mature) else _nobody()
    through = pc.max(totals["through"]).as_py() if totals.num_rows else None
    if 0 < added < len(mature) and through not in mature[added - 1 : added + 1]:
        added, totals, through = 0, _nobody(), None
    # Where a backup has the summary of a day and not yet its rewards, the day is open again.
    known = {day: each for day, each in holds.items() if day in rewarded or not each.mature}
    return _Plan(
        known=known, counts=counts, mature=mature, added=added, totals=totals, through=through
    )


def _added(holds: Mapping[date, DaySummary], mature: Sequence[date]) -> int:
    """Count the mature days whose totals hold: the first ones, without a gap."""
    added = 0
    while added < len(mature) and mature[added] in holds and holds[mature[added]].mature:
        added += 1
    # A day that is not the next one was added before: it cannot be taken out again.
    out_of_turn = any(each.mature for day, each in holds.items() if day not in mature[:added])
    return 0 if out_of_turn else added


def _made(
    stores: Stores, use_case: UseCase, plan: _Plan, metric: Metric | None
) -> Iterator[tuple[DaySummary, pa.Table | None]]:
    """Give each day that is to be summed up; a mature one with what each profile earned so far."""
    adding = set(plan.mature[plan.added :])
    totals = plan.totals
    for day in plan.stale:
        made = plan.known.get(day) or _decided(stores, use_case, day, plan.counts[day])
        if day not in adding:
            yield made, None
            continue
        earned = _ask_day(stores, use_case, "day_earned", day)
        if day != plan.through:
            totals = _run(stores, "totals_added", known=totals, earned=earned)
            if metric is not None:
                totals = with_earlier(stores, use_case, metric, totals, day=day)
        yield (
            replace(
                made,
                earned=_by_variant(_run(stores, "day_of_earned", earned=earned), Earned),
                totals=_by_variant(_run(stores, "totals_of_variants", totals=totals), Totals),
                calibration=_calibration(stores, use_case, day),
            ),
            totals,
        )


def _decided(stores: Stores, use_case: UseCase, day: date, decisions: int) -> DaySummary:
    dimensions = numbered("dimension", [each.name for each in use_case.dimensions])
    choices: dict[str, dict[str, int]] = {}
    found = _ask_day(stores, use_case, "day_choices", day, {"dimensions": dimensions})
    for row in found.to_pylist():
        choices.setdefault(row["dimension"], {})[row["choice"]] = row["decisions"]
    return DaySummary(
        day=day,
        decisions=decisions,
        variants=_by_variant(_ask_day(stores, use_case, "day_decided", day), Decided),
        choices=choices,
        edges=_edges(stores, use_case, day),
        audience=_audience(stores, use_case, day),
    )


def _edges(stores: Stores, use_case: UseCase, day: date) -> pa.Table:
    if not (stores.lake.folder / "features").is_dir():
        return EDGES.empty_table()
    relations = {
        "dimensions": numbered("dimension", [each.name for each in use_case.dimensions]),
        "feature_columns": numbered("feature", use_case.feature_names),
    }
    tables = ("decisions", "features")
    return _ask_day(stores, use_case, "day_edges", day, relations, tables=tables).cast(EDGES)


def _audience(stores: Stores, use_case: UseCase, day: date) -> dict[str, int] | None:
    if not (stores.lake.folder / "features").is_dir():
        return None
    found = _ask_day(stores, use_case, "day_audience", day, tables=("features",))
    return {row["reason"]: row["profiles"] for row in found.to_pylist()}


def _calibration(stores: Stores, use_case: UseCase, day: date) -> tuple[Tenth, ...] | None:
    if "expected" not in stores.lake.schema("decisions").names:
        # Decided by an older version of the program.
        return None
    found = _ask_day(stores, use_case, "day_calibration", day, tables=TABLES).to_pylist()
    return tuple(Tenth(**row) for row in found) or None


def _so_far(stores: Stores, use_case: UseCase) -> pa.Table:
    if not (stores.lake.folder / "profile_totals").is_dir():
        return _nobody()
    # One that an older version of the program made gets the columns that it lacks.
    stores.lake.create("profile_totals", PROFILE_TOTALS)
    generation = stores.lake.position("profile_totals", _name(use_case))
    return stores.engine.query(
        load_sql(ROOM, "totals_so_far"),
        {**_of(use_case), "generation": generation},
        tables={"profile_totals": ("generation", generation, generation)},
    )


def _keep_totals(stores: Stores, use_case: UseCase, day: date, totals: pa.Table) -> None:
    """Add what each profile earned so far as a new generation; who writes beside us loses."""
    name, count = _name(use_case), totals.num_rows
    generation = stores.lake.position("profile_totals", name) + 1
    same = {
        "use_case": pa.scalar(use_case.name),
        "version": pa.scalar(use_case.version, pa.int32()),
        "generation": pa.scalar(generation, pa.int64()),
        "through": pa.scalar(day, pa.date32()),
    }
    rows = {column: pa.repeat(value, count) for column, value in same.items()}
    rows |= {column: totals[column] for column in totals.column_names if column != "through"}
    data = pa.table({column: rows[column] for column in PROFILE_TOTALS.names})
    stores.lake.append("profile_totals", data, positions={name: generation})


def _drop_older(stores: Stores, use_case: UseCase) -> None:
    newest = stores.lake.position("profile_totals", _name(use_case))

    def dropped(part: pa.Table) -> pa.Table:
        own = pc.and_(
            pc.equal(part["use_case"], use_case.name), pc.equal(part["version"], use_case.version)
        )
        older = pc.and_(own, pc.less(part["generation"], newest))
        return part.filter(pc.invert(older)) if pc.any(older).as_py() else part

    rewrite(stores.lake, "profile_totals", dropped)
    tidy(stores.lake, "profile_totals", keep_hours=KEEP_HOURS)


def _name(use_case: UseCase) -> str:
    return f"profile_totals:{use_case.name}:{use_case.version}"


def _nobody() -> pa.Table:
    return PROFILE_TOTALS.empty_table()


def _of(use_case: UseCase) -> dict[str, object]:
    return {"use_case": use_case.name, "version": use_case.version}


def _ask(
    stores: Stores, use_case: UseCase, query: str, tables: Sequence[str] = ("decisions",)
) -> list[Row]:
    facts = _of(use_case)
    if "version" not in load_sql(ROOM, query):
        facts.pop("version")
    rows: list[Row] = stores.engine.query(
        load_sql(ROOM, query), facts, tables=dict.fromkeys(tables)
    ).to_pylist()
    return rows


def _ask_day(
    stores: Stores,
    use_case: UseCase,
    query: str,
    day: date,
    relations: Mapping[str, pa.Table] | None = None,
    *,
    tables: Sequence[str] | None = None,
) -> pa.Table:
    read = tables or (TABLES if query == "day_earned" else ("decisions",))
    return stores.engine.query(
        load_sql(ROOM, query),
        {**_of(use_case), "day": day.isoformat()},
        tables=dict.fromkeys(read, ("day", day, day)),
        relations=relations or {},
    )


def _run(stores: Stores, query: str, **relations: pa.Table) -> pa.Table:
    return stores.engine.query(load_sql(ROOM, query), relations=relations)


def _by_variant(found: pa.Table, kind: type[Any]) -> dict[str, Any]:
    rows = {row.pop("variant"): row for row in found.to_pylist()}
    return {variant: msgspec.convert(row, kind) for variant, row in rows.items()}
