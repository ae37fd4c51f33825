"""What each profile brought before anything was decided of it: what a lift is adjusted by."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opportune import events, profiles, rules
from opportune.decisions import UseCase
from opportune.events import Metric
from opportune.storage import Stores, load_sql

__all__ = ["EARLIER_DAYS", "with_earlier"]

ROOM = "opportune.reports"
DAY_US = 86_400_000_000
# Long enough to tell who orders often from who hardly does, short enough to be of now.
EARLIER_DAYS = 28


def with_earlier(
    stores: Stores, use_case: UseCase, metric: Metric, totals: pa.Table, *, day: date
) -> pa.Table:
    """Return ``totals`` with ``earlier`` where it was null: what the profile brought by itself.

    That is the value of ``metric`` over the 28 days before something was decided of the profile
    first, in any version of ``use_case``; 0 where nothing is known of them. ``day`` is the newest
    of ``totals``, whose columns are those of `PROFILE_TOTALS`.
    """
    unknown = totals["profile_id"].filter(pc.is_null(totals["earlier"]))
    if not len(unknown):
        return totals
    first = stores.engine.query(
        load_sql(ROOM, "first_decided"),
        {"use_case": use_case.name, "day": day.isoformat()},
        tables={"decisions": ("day", date.min, day)},
        relations={"asked": pa.table({"profile_id": pc.unique(unknown)})},
    )
    place = totals.column_names.index("earlier")
    if not first.num_rows:
        return totals.set_column(place, "earlier", pc.fill_null(totals["earlier"], 0.0))
    events.create_tables(stores.lake)
    identifiers = profiles.identifiers(stores.state)
    columns = {
        base.name: _brought(stores, base, first, identifiers=identifiers) for base in metric.bases
    }
    brought = next(iter(columns.values()))
    if metric.formula is not None:
        brought = rules.evaluate(metric.formula, columns, rows=first.num_rows)
    values = pa.array(np.nan_to_num(brought, nan=0.0))
    found = values.take(pc.index_in(totals["profile_id"], value_set=first["profile_id"]))
    known = pc.coalesce(totals["earlier"], found, pa.scalar(0.0))
    return totals.set_column(place, "earlier", known)


def _brought(
    stores: Stores, base: Metric, first: pa.Table, *, identifiers: pa.Table
) -> NDArray[np.float64]:
    """The value of a metric of events for each row of ``first``; NaN: there is none of nothing."""
    past_us, span = EARLIER_DAYS * DAY_US, pc.min_max(first["first_us"]).as_py()
    asked = rules.measured(
        base.measure,
        load_sql(ROOM, "earlier"),
        {"aggregate": base.aggregate, "past_us": past_us},
    )
    rows = stores.engine.query(
        asked.text,
        asked.parameters,
        tables={"events": ("occurred_at_us", span["min"] - past_us, span["max"])},
        relations={"identifiers": identifiers, "asked": first},
    )
    found = rows["brought"].take(pc.index_in(first["profile_id"], value_set=rows["profile_id"]))
    none = 0.0 if base.aggregate in ("sum", "unique_days") else np.nan
    values: NDArray[np.float64] = pc.fill_null(found, none).to_numpy()
    return values
