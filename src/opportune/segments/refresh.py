"""Recompute who is in a segment, and keep the change as intervals."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa

from opportune import rules
from opportune.segments.model import Segment
from opportune.storage import Stores, fetch, load_sql, stage

__all__ = ["refresh"]


def refresh(stores: Stores, segment: Segment, profiles: pa.Table, *, now: datetime) -> int:
    """Set the members of ``segment`` to those of ``profiles`` its rule holds for, as of ``now``.

    ``profiles`` has the columns of ``profiles.SNAPSHOT``. Returns the number of members. Who was in
    already stays in since the same time; who is not any more leaves at ``now``.
    """
    condition = rules.to_sql(segment.rule)
    members = stores.engine.query(
        load_sql("opportune.segments", "members").replace("{rule}", condition.text),
        condition.parameters,
        relations={"profiles": profiles},
    )
    facts = {"segment": segment.name, "now": now}
    with stores.state.transaction() as connection:
        fetch(connection, load_sql("opportune.segments", "lock_segment"), {"segment": segment.name})
        stage(connection, "member", ("profile_id bigint primary key",), members)
        fetch(connection, load_sql("opportune.segments", "leave"), facts)
        fetch(connection, load_sql("opportune.segments", "enter"), facts)
    count: int = members.num_rows
    return count
