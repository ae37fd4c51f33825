"""Everything that is stored of one person, as one document."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec
import pyarrow as pa

from opportune.privacy.changes import named_rows
from opportune.privacy.model import ROOM, UnknownPerson
from opportune.privacy.values import Subject, Values, canonical
from opportune.storage import LakeUnavailable, Stores, load_sql

__all__ = ["FORMAT", "export_person"]

FORMAT = "opportune-person/1"
DOCUMENTS = ("properties", "traits", "context")
ASKED = pa.schema([("kind", pa.string()), ("value", pa.string()), ("profile_id", pa.int64())])


def export_person(stores: Stores, kind: str, value: str, *, now: datetime) -> dict[str, Any]:
    """Return everything that is stored of whoever has this identifier, ready for JSON.

    ``state`` has each table of State that says anything of the person, by name; ``events``,
    ``decisions``, ``features`` and ``rejects`` come from the lake. Raises ``UnknownPerson``.
    """
    if "\0" in kind + value:
        raise _unknown(kind)
    facts = {"kind": kind, "value": canonical(kind, value)}
    identifiers = stores.state.rows(load_sql(ROOM, "person"), facts)
    ids = sorted({row[name] for row in identifiers for name in ("identifier_id", "profile_id")})
    told: dict[str, list[Any]] = {}
    for row in stores.state.rows(load_sql(ROOM, "person_rows"), {"ids": ids}):
        told.setdefault(row["table_name"], []).append(_texts(row["body"]))
    known = {(row["kind"], row["value"]) for row in identifiers}
    asked = pa.Table.from_pylist(
        [{"kind": kind, "value": value, "profile_id": None} for kind, value in sorted(known)]
        + [{"kind": None, "value": None, "profile_id": each} for each in ids],
        schema=ASKED,
    )
    found = {
        "events": _lake(stores, "person_events", ("events",), asked),
        "decisions": _lake(stores, "person_decisions", ("decisions", "rewards"), asked),
        "features": _lake(stores, "person_features", ("features", "asked_features"), asked),
        "rejects": _rejects(stores, known),
    }
    if not told and not any(found.values()):
        raise _unknown(kind)
    return {
        "format": FORMAT,
        "exported_at": now.isoformat(),
        "identifiers": [{"kind": kind, "value": value} for kind, value in sorted(known)],
        "state": told,
        **found,
    }


def _lake(
    stores: Stores, query: str, tables: tuple[str, ...], asked: pa.Table
) -> list[dict[str, Any]]:
    try:
        found = stores.engine.query(
            load_sql(ROOM, query), tables=dict.fromkeys(tables), relations={"asked": asked}
        )
    except LakeUnavailable:
        if (stores.lake.folder / tables[0]).is_dir():
            raise
        # Nothing was ever taken in.
        return []
    return [_row(row) for row in found.to_pylist()]


def _rejects(stores: Stores, known: set[tuple[str, str]]) -> list[dict[str, Any]]:
    if not (stores.lake.folder / "rejects").is_dir():
        return []
    values = Values(
        Subject(
            **dict.fromkeys(("identifier_id", "new_id", "profile_id", "new_profile_id"), 0),
            request_id="",
            kind=kind,
            value=value,
            new_value="",
            erases=False,
        )
        for kind, value in known
    )
    table = stores.lake.read("rejects", ["payload", "code", "reason", "received_at", "source_id"])
    found = table.filter(named_rows(table.select(["payload"]), values))
    return [_row(row) for row in found.to_pylist()]


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in row.items()}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if name in DOCUMENTS and isinstance(value, str):
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError:
            return value
    return value


def _texts(body: dict[str, Any]) -> dict[str, Any]:
    """Write ids as texts: not every reader of JSON keeps 64 bits."""
    return {
        name: str(value) if name.endswith("_id") and isinstance(value, int) else value
        for name, value in body.items()
    }


def _unknown(kind: str) -> UnknownPerson:
    return UnknownPerson(
        f"Nothing is stored under this {kind[:63]}. Check the kind (user_id, anonymous_id, email) "
        "and the spelling; an event that was just sent takes up to a second."
    )
