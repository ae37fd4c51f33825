"""What we counted of a use case's messages beside what Braze counted, day by day.

They need not agree: Braze drops messages silently after it accepted them, its days are those of the
company's time zone while ours are UTC, and it counts opens and clicks of machines, which ours tell
apart. What matters is that each difference has one of these reasons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np

from opportune.activation.braze import CountedDay
from opportune.storage import Engine, load_sql

__all__ = ["OurDay", "ReconciledDay", "Reconciliation", "SentBy", "reconcile"]

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OurDay:
    """What we know of one day in UTC.

    ``accepted`` are messages that Braze took from us, ``sent`` those it told us it sent; ``opens``
    and ``clicks`` are all that it told of, ``machine_...`` those of machines among them, which no
    metric counts that says so.
    """

    day: date
    accepted: int = 0
    sent: int = 0
    opens: int = 0
    machine_opens: int = 0
    clicks: int = 0
    machine_clicks: int = 0
    unsubscribes: int = 0
    bounces: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SentBy:
    """Whose messages are compared: those of ``target``, a campaign or canvas.

    With ``send_ids``, those alone that went out under one of them.
    """

    use_case: str
    target: str
    send_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciledDay:
    """One day, ours beside Braze's."""

    ours: OurDay
    theirs: CountedDay


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """All days, the oldest first, and their sums under the last of them.

    ``send_ids``: under how many ids of its own the use case sent what is compared; 0: by campaign
    or canvas, which others may send with as well.
    """

    use_case: str
    as_of: datetime
    days: tuple[ReconciledDay, ...]
    total: ReconciledDay
    send_ids: int = 0

    @property
    def sentence(self) -> str:
        """Say it in words."""
        ours, theirs = self.total.ours, self.total.theirs
        return (
            f"Braze accepted {ours.accepted:,} messages and counts {theirs.sent:,} as sent "
            f"({_difference(theirs.sent, ours.accepted)}). Of {ours.clicks:,} clicks that it told "
            f"us of, {ours.machine_clicks:,} are machines', which leaves "
            f"{ours.clicks - ours.machine_clicks:,}; Braze counts {theirs.clicks:,}. Of "
            f"{ours.opens:,} opens, {ours.machine_opens:,} are machines'; Braze counts "
            f"{theirs.opens:,}.{self._scope}"
        )

    @property
    def _scope(self) -> str:
        if not self.send_ids:
            return ""
        days = "1 day" if self.send_ids == 1 else f"{self.send_ids} days"
        return f" Braze counts {days} of this use case's own sends, apart from all others."


def reconcile(
    engine: Engine,
    theirs: Sequence[CountedDay],
    *,
    sent: SentBy,
    as_of: datetime,
    whole: CountedDay | None = None,
) -> Reconciliation:
    """Put our days beside ``theirs``, which must be one or more.

    ``whole`` is the sum that Braze made of them itself; None: they are added here.

    >>> _difference(90, 100), _difference(0, 0)
    ('10 fewer, 10.0%', 'the same')
    """
    first, last = min(each.day for each in theirs), max(each.day for each in theirs)
    first_us, end_us = _us(first), _us(last + timedelta(days=1))
    found = engine.query(
        load_sql("opportune.reports", "reconcile"),
        {
            "use_case": sent.use_case,
            "target": sent.target,
            "send_ids": list(sent.send_ids),
            "is_apart": bool(sent.send_ids),
            "first_us": first_us,
            "end_us": end_us,
        },
        tables={"events": ("received_at_us", first_us, int(np.iinfo(np.int64).max))},
    )
    ours = {
        day: OurDay(**{**row, "day": day})
        for row in found.to_pylist()
        for day in (EPOCH + timedelta(days=row["day"]),)
    }
    days = tuple(
        ReconciledDay(ours=ours.get(each.day, OurDay(day=each.day)), theirs=each)
        for each in sorted(theirs, key=lambda each: each.day)
    )
    total = ReconciledDay(
        ours=OurDay(day=last, **_sums([each.ours for each in days], OurDay)),
        theirs=replace(whole, day=last)
        if whole is not None
        else CountedDay(day=last, **_sums([each.theirs for each in days], CountedDay)),
    )
    return Reconciliation(
        use_case=sent.use_case, as_of=as_of, days=days, total=total, send_ids=len(sent.send_ids)
    )


def _sums(days: Sequence[object], kind: type[OurDay] | type[CountedDay]) -> dict[str, int]:
    names = [each.name for each in fields(kind) if each.name != "day"]
    return {name: sum(getattr(day, name) for day in days) for name in names}


def _difference(theirs: int, ours: int) -> str:
    if theirs == ours:
        return "the same"
    share = f", {abs(theirs - ours) / ours:.1%}" if ours else ""
    return f"{abs(theirs - ours):,} {'fewer' if theirs < ours else 'more'}{share}"


def _us(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000
