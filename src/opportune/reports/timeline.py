"""What happened to one profile, the newest first, page by page.

The events are in the lake, in order of arrival. State knows in which hours a profile has any and
when those were received, so a page reads the few places where its events are, however many events
the lake has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Literal

import msgspec
import pyarrow as pa

from opportune.errors import InvalidInput
from opportune.profiles.identity import moment
from opportune.storage import Stores, load_sql

__all__ = ["MOST_ENTRIES", "Entry", "InvalidCursor", "Timeline", "timeline"]

ROOM = "opportune.reports"
MOST_ENTRIES = 200
HOUR_US = 3_600_000_000
LAST_HOUR = 2**31 - 1
FIRST_US, FAR_US = -(2**62), LAST_HOUR * HOUR_US
# As many places as the query asks for.
PLACES = 8
CURSOR = re.compile(r"(-?[0-9]{1,19}):(decision|event|membership):(.*)", re.DOTALL)
# Greater than any id.
HIGHEST = "\U0010ffff"
HOLDERS = pa.schema([("who", pa.string()), ("since_us", pa.int64())])

Source = Literal["decision", "event", "membership"]


class InvalidCursor(InvalidInput):
    """A page of a timeline was asked for by what no page ended with."""

    code = "invalid_cursor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened: an event, a message, a decision, or a change of membership.

    ``title`` is the event, the use case or the segment; ``facts`` are its properties as JSON has
    them, or what was decided.
    """

    kind: Literal["decision", "event", "membership", "message"]
    at: datetime
    id: str
    title: str
    source_id: str | None
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One page; ``before`` asks for the next one, None where this is the last."""

    entries: tuple[Entry, ...]
    before: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cursor:
    """The entry that a page ended with; entries are in order of time, source and id."""

    at_us: int
    source: Source
    id: str

    def before_id(self, source: Source) -> str:
        """Return what the ids of a source must lie before, at this very time."""
        if source == self.source:
            return self.id
        return HIGHEST if source < self.source else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """The part of the timeline to read: from here up to the cursor, so many of each source."""

    cursor: _Cursor
    from_us: int
    wanted: int

    def facts(self, source: Source) -> dict[str, object]:
        return {
            "from_us": self.from_us,
            "before_us": self.cursor.at_us,
            "before_id": self.cursor.before_id(source),
            "wanted": self.wanted,
        }


def timeline(
    stores: Stores, profile_id: int, *, before: str | None = None, limit: int = 50
) -> Timeline:
    """Return what happened to a profile, at most ``limit`` (200) entries, the newest first.

    ``before`` is what the page before said; raises ``InvalidCursor`` for anything else. An
    identifier counts since it belongs to the profile, where the profile asks for that.
    """
    wanted = max(1, min(limit, MOST_ENTRIES))
    cursor = _cursor(before)
    facts = {
        "profile_id": profile_id,
        "hour": max(-LAST_HOUR, cursor.at_us // HOUR_US),
        "wanted": wanted + 1,
    }
    hours = stores.state.rows(load_sql(ROOM, "hours_of_person"), facts)
    holders = stores.state.rows(load_sql(ROOM, "holders_of_person"), {"profile_id": profile_id})
    needed = [row for row in hours if row["needed"]]
    # Older hours are for the next page: of what is before this moment not everything is read.
    from_us = needed[-1]["hour"] * HOUR_US if len(needed) < len(hours) else FIRST_US
    span = _Span(cursor=cursor, from_us=from_us, wanted=wanted + 1)
    found = [
        *_events(stores, needed, holders, span),
        *_decisions(stores, holders, span),
        *_memberships(stores, profile_id, span),
    ]
    found.sort(key=lambda each: (each[0].at_us, each[0].source, each[0].id), reverse=True)
    page = found[:wanted]
    is_last = len(found) <= wanted and from_us == FIRST_US
    return Timeline(
        entries=tuple(entry for _, entry in page),
        before=None if is_last else _written(page[-1][0] if page else _at(from_us)),
    )


def _cursor(before: str | None) -> _Cursor:
    if before is None:
        return _Cursor(at_us=FAR_US, source="membership", id=HIGHEST)
    parts = CURSOR.fullmatch(before)
    if parts is None or not FIRST_US <= int(parts[1]) <= FAR_US or "\0" in parts[3]:
        raise InvalidCursor(
            "This is not where a page ended. Give 'before' as the last page has it."
        )
    return _Cursor(at_us=int(parts[1]), source=parts[2], id=parts[3])  # type: ignore[arg-type]  # the pattern allows no other


def _written(cursor: _Cursor) -> str:
    return f"{cursor.at_us}:{cursor.source}:{cursor.id}"


def _at(at_us: int) -> _Cursor:
    return _Cursor(at_us=at_us, source="decision", id="")


Found = tuple[_Cursor, Entry]


def _events(
    stores: Stores,
    hours: Sequence[Mapping[str, Any]],
    holders: Sequence[Mapping[str, Any]],
    span: _Span,
) -> Iterator[Found]:
    if not hours:
        return
    ranges = _ranges([(row["received_from_us"], row["received_to_us"]) for row in hours])
    parameters = span.facts("event")
    for place in range(PLACES):
        low, high = ranges[place] if place < len(ranges) else (1, 0)
        parameters |= {f"from_{place}": low, f"to_{place}": high}
    who = [
        {"who": f"{row['kind']}:{row['value']}", "since_us": row["since_us"]}
        for row in holders
        if row["kind"] in ("user_id", "anonymous_id")
    ]
    rows = stores.engine.query(
        load_sql(ROOM, "events_of_person"),
        parameters,
        tables={"events": ("received_at_us", ranges[0][0], ranges[-1][1])},
        relations={"holders": pa.Table.from_pylist(who, schema=HOLDERS)},
    )
    for row in rows.to_pylist():
        at_us, name = row["occurred_at_us"], row["event"] or row["type"]
        entry = Entry(
            kind="message" if row["type"] == "track" and name.startswith("Message ") else "event",
            at=moment(at_us),
            id=row["message_id"],
            title=name,
            source_id=row["source_id"],
            facts=_object(row["properties"]),
        )
        yield _Cursor(at_us=at_us, source="event", id=entry.id), entry


def _ranges(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join spans until few are left, over the smallest gaps first.

    >>> _ranges([(20, 21), (1, 2), (3, 9)])
    [(1, 2), (3, 9), (20, 21)]
    """
    joined: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    while len(joined) > PLACES:
        gaps = [after[0] - before[1] for before, after in pairwise(joined)]
        at = gaps.index(min(gaps))
        joined[at : at + 2] = [(joined[at][0], joined[at + 1][1])]
    return joined


def _decisions(
    stores: Stores, holders: Sequence[Mapping[str, Any]], span: _Span
) -> Iterator[Found]:
    # A profile that is decided for is named after a user id.
    ids = sorted(row["identifier_id"] for row in holders if row["kind"] == "user_id")
    if not ids:
        return
    rows = stores.engine.query(
        load_sql(ROOM, "decisions_of_person"),
        {**span.facts("decision"), "lowest_id": ids[0], "highest_id": ids[-1]},
        tables={"decisions": ("decided_at_us", span.from_us, span.cursor.at_us)},
        relations={"ids": pa.table({"profile_id": pa.array(ids, pa.int64())})},
    )
    for row in rows.to_pylist():
        at_us = row["decided_at_us"]
        facts = {
            "day": row["day"].isoformat(),
            "variant": row["variant"],
            "action": msgspec.json.decode(row["action"]),
            **{name: row[name] for name in ("propensity", "explored", "policy_version")},
        }
        entry = Entry(
            kind="decision",
            at=moment(at_us),
            id=row["decision_id"],
            title=row["use_case"],
            source_id=None,
            facts=facts,
        )
        yield _Cursor(at_us=at_us, source="decision", id=entry.id), entry


def _memberships(stores: Stores, profile_id: int, span: _Span) -> Iterator[Found]:
    facts = {"profile_id": profile_id, **span.facts("membership")}
    for row in stores.state.rows(load_sql(ROOM, "memberships_of_person"), facts):
        change, _, segment = row["id"].partition(":")
        entry = Entry(
            kind="membership",
            at=moment(row["at_us"]),
            id=row["id"],
            title=segment,
            source_id=None,
            facts={"change": change},
        )
        yield _Cursor(at_us=row["at_us"], source="membership", id=row["id"]), entry


def _object(text: str | None) -> Mapping[str, object]:
    """Read what may be any text of a client; what cannot be read says nothing."""
    try:
        said = msgspec.json.decode(text or "{}")
    except msgspec.DecodeError:
        return {}
    return said if isinstance(said, dict) else {}
