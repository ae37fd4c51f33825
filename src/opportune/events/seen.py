"""Look into the catalogue: what was seen, and the nearest name of what was not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opportune.errors import NotFound
from opportune.events.catalogue import OTHERS
from opportune.events.fields import FieldClass, FieldClasses, field_class, masked
from opportune.storage import State, load_sql

__all__ = [
    "SeenEvent",
    "SeenField",
    "UnknownEvent",
    "field_names",
    "nearest_event",
    "seen_event",
    "seen_events",
    "seen_fields",
]

TYPE_COLUMNS = {
    **{"string": "strings", "integer": "integers", "number": "numbers", "boolean": "booleans"},
    **{"array": "arrays", "object": "objects", "null": "nulls"},
}
PROBLEMS = ("missing", "wrong_type", "wrong_value", "unplanned")


class UnknownEvent(NotFound):
    """No event of this name was ever seen."""

    code = "unknown_event"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEvent:
    """One event of one source, since the first time it was seen.

    ``event`` is the name of a track event, and the type itself of any other; "(others)" stands for
    the names beyond the limit of a source. ``events`` are stored, ``flagged`` of them break a
    tracking plan; ``blocked`` were refused by one.
    """

    source_id: str
    type: str
    event: str
    events: int
    events_24h: int
    events_7d: int
    flagged: int
    blocked: int
    unplanned: int
    first_seen_at: datetime
    last_seen_at: datetime
    fields: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenField:
    """One property or trait of an event, ``kind`` says which.

    ``types`` counts its values by JSON type, ``fill_share`` is the share of events that have one
    (None where many names are counted together), ``violations`` says how often which rule of a
    tracking plan was broken.
    """

    source_id: str
    type: str
    kind: str
    name: str
    types: Mapping[str, int]
    fill_share: float | None
    field_class: FieldClass
    sample: str | None
    violations: Mapping[str, int]
    first_seen_at: datetime | None
    last_seen_at: datetime | None


def seen_events(state: State, *, now: datetime, source: str | None = None) -> list[SeenEvent]:
    """Return every event in the catalogue, by source and name."""
    facts = {"now": now, "event": None, "source": source}
    rows = state.rows(load_sql("opportune.events", "seen_events"), facts)
    return [SeenEvent(**row) for row in rows]


def seen_event(state: State, event: str, *, now: datetime) -> list[SeenEvent]:
    """Return an event, one row a source and type; raises ``UnknownEvent`` with the nearest name."""
    facts = {"now": now, "event": event.replace("\0", ""), "source": None}
    rows = state.rows(load_sql("opportune.events", "seen_events"), facts)
    if not rows:
        raise UnknownEvent(_unknown(event, nearest_event(event, seen_events(state, now=now))))
    return [SeenEvent(**row) for row in rows]


def seen_fields(
    state: State, events: Sequence[SeenEvent], *, declared: FieldClasses
) -> list[SeenField]:
    """Return the fields of what `seen_event` returned, classed by what is ``declared`` now."""
    totals = {(each.source_id, each.type): each.events for each in events}
    rows = state.rows(load_sql("opportune.events", "seen_fields"), {"event": events[0].event})
    return [_field(row, totals.get((row["source_id"], row["type"]), 0), declared) for row in rows]


def field_names(state: State, *, most: int = 300) -> dict[str, tuple[str, ...]]:
    """Return the names seen most of each "event" (of track), "property" and "trait"."""
    rows = state.rows(load_sql("opportune.events", "field_names"), {"most": most})
    return {
        kind: tuple(row["name"] for row in rows if row["kind"] == kind)
        for kind in ("event", "property", "trait")
    }


def nearest_event(event: str, events: Iterable[SeenEvent]) -> SeenEvent | None:
    """Return the event whose name is nearest to ``event``, of several the one seen last."""
    by_name: dict[str, SeenEvent] = {}
    for each in sorted(events, key=lambda each: each.last_seen_at):
        if each.event != OTHERS:
            by_name[each.event] = each
    folded = {name.casefold(): name for name in by_name}
    close = difflib.get_close_matches(event.casefold(), folded, n=1)
    return by_name[folded[close[0]]] if close else None


def _unknown(event: str, near: SeenEvent | None) -> str:
    hint = "Nothing of a similar name was seen either."
    if near is not None:
        last = f"{near.last_seen_at:%Y-%m-%d %H:%M} UTC"
        hint = f"Did you mean '{near.event}'? It was last seen {last}."
    return f"No event '{event[:200]}' was ever seen. {hint}"


def _field(row: Mapping[str, Any], events: int, declared: FieldClasses) -> SeenField:
    types = {name: row[column] for name, column in TYPE_COLUMNS.items() if row[column]}
    filled = sum(count for name, count in types.items() if name != "null")
    found = field_class(
        row["kind"], row["name"], declared=declared, personal_values=row["personal_values"]
    )
    counted_together = OTHERS in (row["name"], row["event"])
    return SeenField(
        source_id=row["source_id"],
        type=row["type"],
        kind=row["kind"],
        name=row["name"],
        types=types,
        fill_share=None if counted_together or not events else filled / events,
        field_class=found,
        # Once more: it may have been declared since the sample was kept.
        sample=None if row["sample"] is None else masked(row["sample"], found),
        violations={name: row[name] for name in PROBLEMS if row[name]},
        first_seen_at=row["first_seen_at"],
        last_seen_at=row["last_seen_at"],
    )
