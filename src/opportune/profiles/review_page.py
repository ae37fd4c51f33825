"""The review list to look through: each link with both profiles beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from opportune.profiles.identity import EPOCH
from opportune.profiles.model import ReviewPage, Side, WaitingLink
from opportune.profiles.regroup import ROOM
from opportune.profiles.review import FITTING, item_of
from opportune.storage import State, load_sql

__all__ = ["review_page"]

MOST_ROWS = 200
MOST_IDENTIFIERS = 4
EVENTS_OF = timedelta(days=30)
HOUR = timedelta(hours=1)


def review_page(
    state: State,
    *,
    now: datetime,
    profile_id: int | None = None,
    skip: int = 0,
    limit: int = 50,
) -> ReviewPage:
    """Return up to ``limit`` (200) links that wait after the first ``skip``, the newest first.

    With ``profile_id`` only those that would join this profile with another. Events are counted
    over the 30 days before ``now``. One query, whatever the number of links.
    """
    facts = {
        "profile_id": profile_id,
        "rows": max(0, min(limit, MOST_ROWS)),
        "skip": skip,
        "identifiers": MOST_IDENTIFIERS,
        "since_hour": (now - EVENTS_OF - EPOCH) // HOUR,
    }
    rows = state.rows(load_sql(ROOM, "review_page"), facts)
    return ReviewPage(
        rows=tuple(_waiting(row) for row in rows if row["review_id"] is not None),
        total=rows[0]["total"],
    )


def _waiting(row: Mapping[str, Any]) -> WaitingLink:
    item = item_of(row)
    return WaitingLink(
        item=item,
        owner=_side(row["owner_side"]),
        other=_side(row["other_side"]),
        fits=FITTING[item.reason],
    )


def _side(row: Mapping[str, Any]) -> Side:
    return Side(
        profile_id=row["profile_id"],
        identifiers=tuple((kind, value) for kind, value in row["identifiers"]),
        identifier_count=row["identifier_count"],
        traits=row["traits"],
        first_seen_at=datetime.fromisoformat(row["first_seen_at"]),
        last_seen_at=datetime.fromisoformat(row["last_seen_at"]),
        events=row["events"],
    )
