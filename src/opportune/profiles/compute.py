"""Calculate computed traits: of everybody, or of those whom something new concerns; in columns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from opportune import rules
from opportune.profiles.computed import ComputedTrait
from opportune.profiles.regroup import ROOM
from opportune.profiles.snapshot import IDENTIFIERS
from opportune.storage import Connection, Stores, fetch, load_sql, read_table, stage

__all__ = ["compute", "follow_computed"]

COLUMNS = ("profile_id bigint", "traits text")
VALUES = pa.schema([("profile_id", pa.int64()), ("traits", pa.string())])
LONGEST_TEXT = 500
# Of more than that many, everybody's values cost less than finding out whose.
MOST_NOTES = 200_000
# From here on a number is no longer written as a whole one.
WHOLE = 1e15
ADDED = ("count", "unique_days", "sum")
CONTROLS = [chr(code) for code in range(32)]


def compute(stores: Stores, traits: Iterable[ComputedTrait], *, now: datetime) -> int:
    """Calculate ``traits`` for all profiles as of ``now``; return how many profiles changed.

    Every value that does not hold any more is gone, so windows move with each call. One scan of
    the events for all traits; calling it again with the same ``now`` changes nothing.
    """
    asked = tuple(traits)
    with stores.state.transaction() as connection:
        facts = _begin(connection)
        known = read_table(connection, load_sql(ROOM, "identifiers"), IDENTIFIERS)
        count = _write(
            connection, _values(stores, asked, known, now), facts, everybody=True, now=now
        )
        fetch(connection, load_sql(ROOM, "computed_as_of"), {"now": now, "defined": _key(asked)})
    return count


def follow_computed(stores: Stores, traits: Iterable[ComputedTrait], *, now: datetime) -> int:
    """Calculate ``traits`` for whoever was noted since (`note_computed`); return how many changed.

    Afterwards their values are those that `compute` would give them; the moments at which time
    alone changes a value are its own. One scan of the events, for all of them. Where very many were
    noted, or the definitions are others than they were, it is `compute`. Killed anywhere, the notes
    stay until what they ask for is written.
    """
    asked = tuple(traits)
    with stores.state.transaction() as connection:
        facts = _begin(connection)
        is_everybody = facts["notes"] > MOST_NOTES or facts["defined"] != _key(asked)
        if not is_everybody:
            if not facts["notes"]:
                return 0
            known = read_table(connection, load_sql(ROOM, "noted_identifiers"), IDENTIFIERS, facts)
            found = _values(stores, asked, known, now)
            return _write(connection, found, facts, everybody=False, now=now)
    return compute(stores, asked, now=now)


def _begin(connection: Connection) -> dict[str, Any]:
    """Be the only one who calculates until the transaction ends; return up to which note."""
    fetch(connection, load_sql(ROOM, "lock_computed"))
    facts: dict[str, Any] = fetch(connection, load_sql(ROOM, "computed_begin"))[0]
    return facts


def _write(
    connection: Connection,
    values: pa.Table,
    begun: Mapping[str, Any],
    *,
    everybody: bool,
    now: datetime,
) -> int:
    """Write what came out differently, and let go of the notes that are answered by it."""
    stage(connection, "computed_value", COLUMNS, values)
    facts = {"now": now, "upto": begun["upto"], "everybody": everybody}
    dropped = fetch(connection, load_sql(ROOM, "drop_computed"), facts)[0]["count"]
    changed = fetch(connection, load_sql(ROOM, "keep_computed"), facts)[0]["count"]
    fetch(connection, load_sql(ROOM, "forget_notes"), facts)
    fetch(connection, "drop table computed_value")
    count: int = dropped + changed
    return count


def _values(
    stores: Stores, traits: Sequence[ComputedTrait], known: pa.Table, now: datetime
) -> pa.Table:
    """Return the values of everybody in ``known`` who has any, as the text of a JSON object."""
    if not traits or not known.num_rows:
        return VALUES.empty_table()
    asked = [each for trait in traits for each in trait.computations]
    query = rules.computations(asked, now=now, events=load_sql(ROOM, "own_events"))
    span_us = rules.span_us([each.window for each in asked], now=now)
    rows = stores.engine.query(
        query.text,
        query.parameters,
        tables={"events": ("occurred_at_us", *span_us)},
        relations={"identifiers": known},
    )
    return _documents(rows, traits)


def _documents(rows: pa.Table, traits: Sequence[ComputedTrait]) -> pa.Table:
    fields = []
    first = 1
    for trait in traits:
        columns = [rows[f"number_{first + place}"] for place in range(len(trait.computations))]
        written = _number(columns[0] if trait.formula is None else _calculated(trait, columns))
        if rules.gives_text(trait.computations[0]):
            written = pc.coalesce(written, _text(rows[f"text_{first}"]))
        first += len(columns)
        name = pa.scalar(f",{json.dumps(trait.name)}:")
        fields.append(pc.fill_null(pc.binary_join_element_wise(name, written, ""), ""))
    every = pc.binary_join_element_wise("", *fields, "")
    whole = pc.binary_join_element_wise("{", pc.utf8_slice_codeunits(every, 1), "}", "")
    table = pa.table([rows["profile_id"], whole], schema=VALUES)
    return table.filter(pc.not_equal(every, ""))


def _calculated(trait: ComputedTrait, columns: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    """Ask the formula of a trait; where none of its events happened, there is no value."""
    assert trait.formula is not None, "the caller has asked"
    values = {}
    for name, asked, column in zip(trait.parts, trait.computations, columns, strict=True):
        # Of nothing there is a sum, and neither a mean nor a last one.
        none = 0.0 if asked.compute in ADDED else float("nan")
        values[name] = pc.fill_null(column, none).to_numpy()
    found = rules.evaluate(trait.formula, values, rows=len(columns[0]))
    happened = reduce(pc.or_, map(pc.is_valid, columns))
    return pc.if_else(happened, pa.chunked_array([pa.array(found, from_pandas=True)]), None)


def _number(numbers: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write numbers as JSON, whole ones as whole ones."""
    whole = pc.and_(pc.equal(pc.floor(numbers), numbers), pc.less(pc.abs(numbers), WHOLE))
    as_whole = pc.if_else(whole, numbers, 0.0).cast(pa.int64()).cast(pa.string())
    return pc.if_else(whole, as_whole, numbers.cast(pa.string()))


def _text(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write texts as JSON; null for what no database keeps, or nobody would call a value."""
    is_value = pc.and_(
        pc.less_equal(pc.utf8_length(texts), LONGEST_TEXT),
        pc.invert(pc.match_substring(texts, "\0")),
    )
    written = pc.replace_substring(texts, "\\", "\\\\")
    written = pc.replace_substring(written, '"', '\\"')
    if pc.any(pc.match_substring_regex(written, "[\x01-\x1f]")).as_py():
        for character in CONTROLS:
            written = pc.replace_substring(written, character, json.dumps(character)[1:-1])
    quoted = pc.binary_join_element_wise('"', written, '"', "")
    return pc.if_else(is_value, quoted, pa.scalar(None, pa.string()))


def _key(traits: Sequence[ComputedTrait]) -> str:
    """Tell definitions apart: what they say, and not who wrote them when."""
    said = sorted(repr((each.name, each.computations, each.formula)) for each in traits)
    return hashlib.sha256("\n".join(said).encode()).hexdigest()
