"""How each use case's way out is doing: what waits, how late it is, and what receivers allow."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from opportune.storage import State, load_sql

__all__ = ["DayOutcomes", "RateWindow", "WayOut", "outcomes_by_day", "rate_windows", "ways_out"]

ROOM = "opportune.activation"


@dataclass(frozen=True, slots=True, kw_only=True)
class WayOut:
    """The outbox of one use case.

    Parameters
    ----------
    due, later:
        Recommendations that wait and should have gone, and those whose time comes.
    held, coming_back:
        Those that their receiver holds until their time, and of them those that are to come back.
    under_way, ambiguous, sent, failed:
        In a sender's hands; without an answer; handed over; refused or given up.
    oldest_due_at, last_sent_at:
        Since when the oldest of ``due`` waits, and when one was handed over last.
    trouble:
        Why the newest of those that were tried waits.
    """

    use_case: str
    due: int = 0
    later: int = 0
    under_way: int = 0
    held: int = 0
    coming_back: int = 0
    ambiguous: int = 0
    sent: int = 0
    failed: int = 0
    oldest_due_at: datetime | None = None
    last_sent_at: datetime | None = None
    trouble: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateWindow:
    """What a receiver said last of its limit: ``remaining`` of ``calls`` until ``resets_at``.

    ``is_over``: that window has ended, and the next answer tells of a new one.
    """

    name: str
    calls: int
    remaining: int
    resets_at: datetime
    told_at: datetime
    is_over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOutcomes:
    """How many recommendations of one day ended how, and how many still wait."""

    day: date
    sent: int = 0
    failed: int = 0
    ambiguous: int = 0
    waiting: int = 0


def ways_out(state: State, use_cases: Collection[str], *, now: datetime) -> list[WayOut]:
    """Return how each of ``use_cases`` is doing at ``now``, in their order."""
    facts = {"use_cases": list(use_cases), "now": now}
    rows = state.rows(load_sql(ROOM, "ways_out"), facts)
    found = {row["use_case"]: WayOut(**row) for row in rows}
    return [found.get(name, WayOut(use_case=name)) for name in use_cases]


def outcomes_by_day(state: State, use_cases: Collection[str], *, first: date) -> list[DayOutcomes]:
    """Return what became of the recommendations of each day from ``first`` on, the oldest first.

    Days without any are left out, and rows that were pruned are not counted.
    """
    facts = {"use_cases": list(use_cases), "first": first}
    return [DayOutcomes(**row) for row in state.rows(load_sql(ROOM, "outcomes_by_day"), facts)]


def rate_windows(state: State) -> list[RateWindow]:
    """Return what receivers said last of their limits, by name."""
    return [RateWindow(**row) for row in state.rows(load_sql(ROOM, "rate_windows"))]
