"""Compare events with the tracking plans of their sources, a batch at a time.

Which fields an event has, and of which types, is decided once for all events of the same shape;
only fields with a pattern or a date are looked at one by one, as columns.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opportune.events.plan import WITH_TRAITS, PlannedField, TrackingPlan
from opportune.events.shapes import is_deep, json_types
from opportune.storage import Engine, load_sql

__all__ = ["Checked", "Finding", "violations"]

JUDGED = ("source_id", "type", "event")
# So much of a name is told.
NAMED = 200
DATE_TIME = (
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"([Tt ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})?)?$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One way to break a plan, and the events that do.

    ``problem`` is "unplanned_event" (``field`` is empty), "unplanned", "missing", "wrong_type" or
    "wrong_value"; ``places`` (n,) are rows of the batch; ``blocks`` says whether it is refused.
    """

    source_id: str
    type: str
    event: str
    field: str
    problem: str
    reason: str
    blocks: bool
    places: NDArray[np.int64]

    @property
    def code(self) -> str:
        """The code of a reject for this reason."""
        return "unplanned" if self.problem == "unplanned_event" else "schema_violation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the plans say of a batch of events.

    ``types`` (n,) has the types of what was judged of each event, as the engine writes them; None
    where nothing was judged.
    """

    findings: tuple[Finding, ...] = field(default=())
    types: pa.Array | None = None

    def flagged(self, count: int) -> NDArray[np.bool_]:
        """Say of each of ``count`` rows whether it breaks a plan, (count,)."""
        mask = np.zeros(count, np.bool_)
        for finding in self.findings:
            mask[finding.places] = True
        return mask

    def of(self, rows: NDArray[np.int64]) -> Checked:
        """The same for some of the rows, in the order of ``rows`` (n,)."""
        last = max((int(each.places.max()) for each in self.findings), default=-1)
        place = np.full(max(last, int(rows.max(initial=-1))) + 1, -1, np.int64)
        place[rows] = np.arange(len(rows))
        moved = (replace(each, places=place[each.places]) for each in self.findings)
        kept = (replace(each, places=each.places[each.places >= 0]) for each in moved)
        return Checked(
            findings=tuple(each for each in kept if len(each.places)),
            types=None if self.types is None else self.types.take(pa.array(rows)),
        )

    def refusals(self, count: int) -> NDArray[np.int64]:
        """Say which finding each of ``count`` rows is refused for, -1 where it is not, (count,)."""
        first = np.full(count, -1, np.int64)
        for number in range(len(self.findings) - 1, -1, -1):
            if self.findings[number].blocks:
                first[self.findings[number].places] = number
        return first


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """Events with the same fields of the same types; null counts as absent.

    ``written`` are the types as the engine writes them, None of what cannot be read.
    """

    source_id: str
    type: str
    event: str
    written: str | None
    types: Mapping[str, str]
    places: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One planned field of a shape's event, with the plan that asks for it."""

    plan: TrackingPlan
    field: PlannedField


def violations(engine: Engine, plans: Sequence[TrackingPlan], events: pa.Table) -> Checked:
    """Find what in ``events`` (columns of `EVENTS`) breaks the plans of its sources.

    An event or a field is planned if one of the plans of its source names it. Where there are no
    plans this costs nothing.
    """
    sources = {
        source for source in pc.unique(events["source_id"]).to_pylist() if _of(plans, source)
    }
    if not sources:
        return Checked()
    batch = _batch(events)
    found: list[Finding] = []
    entries: dict[tuple[str, str, str, str], list[_Entry]] = defaultdict(list)
    shapes = list(_shapes(engine, batch))
    for shape in shapes:
        if shape.source_id in sources:
            found += _of_shape(shape, _of(plans, shape.source_id), entries)
    found += _of_values(engine, batch, entries)
    return Checked(findings=tuple(found), types=_types(shapes, events.num_rows))


def _types(shapes: Sequence[_Shape], count: int) -> pa.Array:
    number = np.zeros(count, np.int64)
    for each, shape in enumerate(shapes):
        number[shape.places] = each
    return pa.array([shape.written for shape in shapes], pa.string()).take(pa.array(number))


def _batch(events: pa.Table) -> pa.Table:
    """Return what the plans speak of: traits of the types that have them, properties of others."""
    with_traits = pc.is_in(events["type"], value_set=pa.array(WITH_TRAITS))
    documents = pc.if_else(with_traits, events["traits"], events["properties"])
    return (
        events.select(JUDGED)
        .append_column("place", pa.array(np.arange(events.num_rows)))
        .append_column("document", documents)
        .append_column("deep", is_deep(documents))
    )


def _of(plans: Sequence[TrackingPlan], source_id: str) -> list[TrackingPlan]:
    return [plan for plan in plans if plan.speaks_for(source_id)]


def _shapes(engine: Engine, batch: pa.Table) -> Iterator[_Shape]:
    rows = engine.query(
        load_sql("opportune.events", "planned_shapes"), relations={"batch": batch}
    ).to_pylist()
    for row in rows:
        types = json_types(row["types"], row["document"])
        yield _Shape(
            source_id=row["source_id"],
            type=row["type"],
            event=row["event"],
            written=row["types"],
            types=types,
            places=np.asarray(row["places"], np.int64),
        )


def _of_shape(
    shape: _Shape,
    plans: Sequence[TrackingPlan],
    entries: dict[tuple[str, str, str, str], list[_Entry]],
) -> Iterator[Finding]:
    """Find what the types of a shape tell; what its values must tell is added to ``entries``."""
    key = (shape.type, shape.event)
    naming = [plan for plan in plans if key in plan.events]
    if not naming:
        if shape.type == "track":
            yield _unplanned_event(shape, plans)
        return
    planned: set[str] = set()
    for plan in naming:
        for each in plan.events[key].fields.values():
            planned.add(each.name)
            given = shape.types.get(each.name, "null")
            if finding := _of_type(shape, plan, each, given):
                yield finding
            elif given == "string" and (each.pattern or "date-time" in each.types):
                entry = _Entry(plan=plan, field=each)
                known = entries[shape.source_id, *key, each.name]
                if entry not in known:
                    known.append(entry)
    for name, given in shape.types.items():
        if name not in planned and given != "null":
            yield _unplanned_field(shape, naming, name)


def _of_type(
    shape: _Shape, plan: TrackingPlan, planned: PlannedField, given: str
) -> Finding | None:
    allowed = set(planned.types)
    if given == "null":
        if planned.required and not ("null" in allowed and planned.name in shape.types):
            return _finding(shape, plan, planned, problem="missing", said="missing, and required.")
        return None
    if "number" in allowed:
        allowed.add("integer")
    if "date-time" in allowed:
        allowed.add("string")
    if given in allowed or "any" in allowed:
        return None
    said = f"{given} given, must be {' or '.join(planned.types)}."
    return _finding(shape, plan, planned, problem="wrong_type", said=said)


def _of_values(
    engine: Engine, batch: pa.Table, entries: Mapping[tuple[str, str, str, str], list[_Entry]]
) -> Iterator[Finding]:
    if not entries:
        return
    keys = list(entries)
    asked = {
        "field": pa.array(range(len(keys)), pa.int64()),
        **{
            column: pa.array([key[at] for key in keys], pa.string())
            for at, column in enumerate(("source_id", "type", "event"))
        },
        "pointer": pa.array([_pointer(key[3]) for key in keys], pa.string()),
    }
    texts = engine.query(
        load_sql("opportune.events", "planned_values"),
        relations={"batch": batch, "asked": pa.table(asked)},
    )
    for number, key in enumerate(keys):
        own = texts.filter(pc.equal(texts["field"], number))
        for entry in entries[key]:
            yield from _of_texts(key, entry, own)


def _of_texts(key: tuple[str, str, str, str], entry: _Entry, texts: pa.Table) -> Iterator[Finding]:
    planned = entry.field
    checks = []
    if "date-time" in planned.types and not {"any", "string"} & set(planned.types):
        checks.append((DATE_TIME, "a text that is no date or time given, must be date-time."))
    if planned.pattern:
        checks.append((planned.pattern, f"the text does not match {planned.pattern!r}."))
    for pattern, said in checks:
        fits = pc.match_substring_regex(texts["text"], pattern=pattern)
        places = texts["place"].filter(pc.invert(fits)).to_numpy()
        if len(places):
            source_id, type_, event, _ = key
            shape = _Shape(
                source_id=source_id,
                type=type_,
                event=event,
                written=None,
                types={},
                places=places,
            )
            yield _finding(shape, entry.plan, planned, problem="wrong_value", said=said)


def _pointer(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")


def _unplanned_event(shape: _Shape, plans: Sequence[TrackingPlan]) -> Finding:
    blocking = [plan for plan in plans if plan.unplanned_events == "block"]
    names = [event for plan in plans for type_, event in plan.events if type_ == "track"]
    close = difflib.get_close_matches(shape.event, names, n=1)
    hint = f"Did you mean '{close[0]}'?" if close else "Add it to the plan, or do not send it."
    about = f"Tracking plan '{(blocking or plans)[0].name}': event '{shape.event[:NAMED]}'"
    reason = f"{about} is not planned. {hint}"
    return _found(shape, "", problem="unplanned_event", reason=reason, blocks=bool(blocking))


def _unplanned_field(shape: _Shape, plans: Sequence[TrackingPlan], name: str) -> Finding:
    blocking = [plan for plan in plans if plan.unplanned_properties == "block"]
    plan = (blocking or plans)[0]
    close = difflib.get_close_matches(name, plan.events[shape.type, shape.event].fields, n=1)
    hint = f"Did you mean '{close[0]}'?" if close else "Add it to the plan, or do not send it."
    reason = f"{_about(shape, plan, name)} is not planned. {hint}"
    return _found(shape, name, problem="unplanned", reason=reason, blocks=bool(blocking))


def _finding(
    shape: _Shape, plan: TrackingPlan, planned: PlannedField, *, problem: str, said: str
) -> Finding:
    reason = f"{_about(shape, plan, planned.name)}: {said}"
    blocks = plan.violations == "block"
    return _found(shape, planned.name, problem=problem, reason=reason, blocks=blocks)


def _about(shape: _Shape, plan: TrackingPlan, name: str) -> str:
    kind = "trait" if shape.type in WITH_TRAITS else "property"
    return f"Tracking plan '{plan.name}': event '{shape.event[:NAMED]}', {kind} '{name[:NAMED]}'"


def _found(shape: _Shape, name: str, *, problem: str, reason: str, blocks: bool) -> Finding:
    return Finding(
        source_id=shape.source_id,
        type=shape.type,
        event=shape.event,
        field=name,
        problem=problem,
        reason=reason,
        blocks=blocks,
        places=shape.places,
    )
