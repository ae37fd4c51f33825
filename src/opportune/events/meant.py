"""Which events of a batch a metric means: its names, and what must hold of their properties."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from opportune import rules
from opportune.events.metric import Metric
from opportune.storage import Engine, load_sql

__all__ = ["meant"]


def meant(engine: Engine, metric: Metric, events: pa.Table) -> pa.Table:
    """Return those of ``events`` (columns of ``EVENTS``) that count for ``metric``.

    Of a calculated one, those that count for any of its parts.
    """
    found = []
    for base in metric.bases:
        named = events.filter(pc.is_in(events["event"], value_set=pa.array(base.events)))
        if named.num_rows:
            asked = rules.measured(base.measure, load_sql("opportune.events", "meant"), {})
            ids = engine.query(asked.text, asked.parameters, relations={"events": named})
            found.append(ids["message_id"])
    if not found:
        return events.slice(0, 0)
    ids = pa.chunked_array([chunk for each in found for chunk in each.chunks], pa.string())
    return events.filter(pc.is_in(events["message_id"], value_set=ids))
