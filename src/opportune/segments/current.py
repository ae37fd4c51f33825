"""Have the members of some segments as of now, however each is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from opportune.segments.fill import catch_up
from opportune.segments.model import Segment
from opportune.segments.references import in_order
from opportune.segments.refresh import everyone, refresh
from opportune.segments.watch import WatchReader
from opportune.storage import Stores, load_sql

__all__ = ["current"]


def current(
    stores: Stores, names: Iterable[str], segments: Mapping[str, Segment], *, now: datetime
) -> dict[str, int]:
    """Bring the segments and what they are made of up to ``now``; return how many members each has.

    What follows every event needs no more than the answers that are due. All others are asked in
    bulk.
    """
    with stores.state.transaction() as connection:
        watch = WatchReader().read(connection)
    wanted = in_order(names, segments)
    followed = {
        name
        for name in wanted
        if name in watch.segments and watch.segments[name].rule == segments[name].rule
    }
    if followed:
        catch_up(stores, now=now)
    others = [name for name in wanted if name not in followed]
    known = everyone(stores.state) if others else None
    counts = {name: refresh(stores, segments[name], known, now=now) for name in others}
    rows = stores.state.rows(
        load_sql("opportune.segments", "sizes"), {"segments": sorted(followed)}
    )
    counts |= {row["segment"]: row["members"] for row in rows}
    return {name: counts.get(name, 0) for name in wanted}
