"""The catalogue: every event name and field that arrives, how often and of which types.

Counted a micro-batch at a time, in columns: the engine groups the batch by shape, and one document
of each shape tells names and a sample for all. Two limits keep a client that writes ids into names
from filling it: beyond `MOST_EVENTS` names a source and `MOST_FIELDS` fields an event, names are
counted together under `OTHERS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opportune.events.fields import FieldClasses, field_class, is_personal, masked, name_class
from opportune.events.own import is_own
from opportune.events.plan import WITH_TRAITS
from opportune.events.record import Recorded
from opportune.events.shapes import is_deep, json_types, members, text_of
from opportune.events.violations import Finding
from opportune.storage import Connection, Engine, fetch, load_sql

__all__ = ["MOST_EVENTS", "MOST_FIELDS", "OTHERS", "Counts", "as_rows", "count", "keep_counts"]

MOST_EVENTS = 2_000
MOST_FIELDS = 500
OTHERS = "(others)"
# As long as a name may be where it is part of a key.
NAME_CHARACTERS = 200
COUNTED = ("source_id", "type", "event", "received_at_us")
# What makes the engine hand out a document to look at: a superset of `is_personal`, in RE2. The
# first is looked for only where there is an at sign, the others begin at a quotation mark.
EMAIL = r"[^@\s]@[^@\s]"
NUMBERS = (
    r'"\+[0-9]|"[A-Z]{2}[0-9]{2}|"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]'
    r'|"[0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F:.]*"'
)
# The engine reads pieces of this size side by side.
PIECE_ROWS = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a micro-batch adds to the catalogue: rows for its tables of events and of fields."""

    events: list[dict[str, object]]
    fields: list[dict[str, object]]


@dataclass(slots=True, kw_only=True)
class _Field:
    """The sums of one field over the shapes of a batch."""

    counts: Counter[str] = field(default_factory=Counter)
    first_us: int | None = None
    last_us: int | None = None
    sample: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    """One field of one shape: ``value`` is its newest one as text, None for null."""

    name: str
    type: str
    value: str | None
    personal: int


def count(engine: Engine, recorded: Recorded, *, declared: FieldClasses) -> Counts:
    """Count what was recorded: events and fields of what is stored, refusals of what is not."""
    batch = _batch(recorded)
    if not batch.num_rows:
        return Counts(events=[], fields=[])
    shapes = engine.query(
        load_sql("opportune.events", "shapes"),
        {"email": EMAIL, "numbers": NUMBERS},
        relations={"batch": batch},
    ).to_pylist()
    events = [_event_row(shape) for shape in shapes if shape["kind"] == "property"]
    fields: dict[tuple[str, ...], _Field] = {}
    for shape in shapes:
        if shape["outcome"] != "blocked":
            _add_shape(fields, shape)
    for finding in recorded.checked.findings:
        _add_finding(events, fields, finding)
    return Counts(events=events, fields=list(_field_rows(fields, declared)))


def keep_counts(connection: Connection, counts: Counts) -> None:
    """Add ``counts`` to the catalogue, inside the transaction that moves the position."""
    if counts.events:
        facts = {
            "events": as_rows(counts.events),
            "fields": as_rows(counts.fields),
            "most_events": MOST_EVENTS,
            "most_fields": MOST_FIELDS,
        }
        fetch(connection, load_sql("opportune.events", "keep_counts"), facts)


def as_rows(rows: Iterable[Mapping[str, object]]) -> str:
    """Write rows as JSON that PostgreSQL can hold, for `jsonb_to_recordset`."""
    return msgspec.json.encode(list(rows)).decode().replace(r"\u0000", r"\ufffd")


def _batch(recorded: Recorded) -> pa.Table:
    """Return a row for the properties of each event, and one more for traits where it has them."""
    rows = pa.concat_tables([recorded.events, recorded.blocked])
    flagged = recorded.checked.flagged(rows.num_rows)
    outcome = np.where(flagged, "flagged", "accepted")
    outcome[recorded.events.num_rows :] = "blocked"
    every = rows.append_column("outcome", pa.array(outcome.tolist(), pa.string()))
    every = every.append_column("place", pa.array(np.arange(rows.num_rows)))
    # What a tracking plan judged is not looked into a second time.
    unknown = pa.nulls(rows.num_rows, pa.string())
    types = unknown if recorded.checked.types is None else recorded.checked.types
    with_traits = pc.is_in(every["type"], value_set=pa.array(WITH_TRAITS))
    # What is ours is described elsewhere.
    theirs = pc.invert(is_own(every))
    known = pc.if_else(with_traits, unknown, types)
    of_properties = every.append_column("known", known).filter(theirs)
    of_traits = every.append_column("known", types).filter(with_traits)
    batch = pa.concat_tables(
        [
            _documents(of_properties, "property", "properties"),
            _documents(of_traits, "trait", "traits"),
        ]
    )
    pieces = batch.combine_chunks().to_batches(max_chunksize=PIECE_ROWS)
    return pa.Table.from_batches(pieces, schema=batch.schema)


def _documents(rows: pa.Table, kind: str, column: str) -> pa.Table:
    kinds = pa.array(np.repeat(kind, rows.num_rows), pa.string())
    counted = rows.select([*COUNTED, "outcome", "place", "known"]).append_column("kind", kinds)
    deep = is_deep(rows[column])
    return counted.append_column("document", rows[column]).append_column("deep", deep)


def _event_row(shape: Mapping[str, Any]) -> dict[str, object]:
    number, outcome = shape["events"], shape["outcome"]
    return {
        **{name: shape[name] for name in ("source_id", "type", "event", "hour")},
        "events": 0 if outcome == "blocked" else number,
        "flagged": number if outcome == "flagged" else 0,
        "blocked": number if outcome == "blocked" else 0,
        "unplanned": 0,
        "first_us": shape["first_us"],
        "last_us": shape["last_us"],
    }


def _add_shape(fields: dict[tuple[str, ...], _Field], shape: Mapping[str, Any]) -> None:
    for cell in _cells(shape["document"], shape["types"], shape["telling"] or ()):
        key = (*(shape[name] for name in ("source_id", "type", "event", "kind")), cell.name)
        sums = fields.setdefault(key, _Field())
        sums.counts[f"{cell.type}s"] += shape["events"]
        sums.counts["personal_values"] += cell.personal
        sums.first_us = min(sums.first_us or shape["first_us"], shape["first_us"])
        sums.last_us = max(sums.last_us or shape["last_us"], shape["last_us"])
        sums.sample = sums.sample if cell.value is None else cell.value


def _cells(document: str | None, types: str | None, telling: Iterable[str]) -> Iterator[_Cell]:
    """Return the fields of a shape, of which ``document`` is the newest."""
    if document is None or types is None:
        return
    known, values = json_types(types, document), members(document)
    nested = msgspec.json.decode(types)
    personal = Counter(
        name
        for other in telling
        for name, raw in members(other).items()
        if is_personal(text_of(raw))
    )
    for name, type_ in known.items():
        nests = type_ in ("array", "object")
        raw = values.get(name)
        value = None if raw is None or type_ == "null" else text_of(raw)
        yield _Cell(
            name=name[:NAME_CHARACTERS],
            type=type_,
            # Of what nests only the form: its class says nothing of the values further down.
            value=msgspec.json.encode(nested[name]).decode() if nests else value,
            personal=personal[name] + (nests and _names_somebody(nested[name])),
        )


def _names_somebody(types: object) -> bool:
    """Say whether a field further down is personal or sensitive by its name."""
    if isinstance(types, list):
        return any(map(_names_somebody, types))
    return isinstance(types, dict) and any(
        name_class("property", name) is not None or _names_somebody(each)
        for name, each in types.items()
    )


def _add_finding(
    events: list[dict[str, object]], fields: dict[tuple[str, ...], _Field], finding: Finding
) -> None:
    event = (finding.source_id, finding.type, finding.event[:NAME_CHARACTERS])
    if finding.problem != "unplanned_event":
        kind = "trait" if finding.type in WITH_TRAITS else "property"
        sums = fields.setdefault((*event, kind, finding.field[:NAME_CHARACTERS]), _Field())
        sums.counts[finding.problem] += len(finding.places)
        return
    zeros = dict.fromkeys(("events", "flagged", "blocked"), 0)
    nothing = dict.fromkeys(("hour", "first_us", "last_us"))
    names = dict(zip(("source_id", "type", "event"), event, strict=True))
    events.append({**names, **zeros, **nothing, "unplanned": len(finding.places)})


def _field_rows(
    fields: Mapping[tuple[str, ...], _Field], declared: FieldClasses
) -> Iterator[dict[str, object]]:
    for (source_id, type_, event, kind, name), sums in fields.items():
        sample = sums.sample
        if sample is not None:
            evidence = sums.counts["personal_values"] or is_personal(sample)
            found = field_class(kind, name, declared=declared, personal_values=int(evidence))
            sample = masked(sample, found)
        yield {
            **{"source_id": source_id, "type": type_, "event": event, "kind": kind, "name": name},
            **{column: sums.counts[column] for column in SUMS},
            **{"first_us": sums.first_us, "last_us": sums.last_us, "sample": sample},
        }


SUMS = (
    *("strings", "integers", "numbers", "booleans", "arrays", "objects", "nulls"),
    *("personal_values", "missing", "wrong_type", "wrong_value", "unplanned"),
)
