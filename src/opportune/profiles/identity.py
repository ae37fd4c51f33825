"""Why identifiers are one profile: links, cuts, and where each identifier has been."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from opportune.profiles.get import storable, unknown
from opportune.profiles.model import Change, Cut, Decided, Identifier, Identity, Link
from opportune.profiles.regroup import ROOM
from opportune.storage import Connection, State, fetch, load_sql

__all__ = ["identified", "identity", "moment", "read_cuts", "read_decisions"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# An identifier that thousands share has thousands of links: these many are shown.
MOST_SHOWN = 1_000


def identity(state: State, kind: str, value: str) -> Identity:
    """Return everything that made the profile of an identifier, or raise ``UnknownProfile``.

    The earliest thousand links, set aside or not; the newest thousand changes.
    """
    with state.transaction() as connection:
        facts: dict[str, object] = {"kind": kind, "value": value}
        query = load_sql(ROOM, "identifiers_of")
        found = fetch(connection, query, facts) if storable(kind, value) else []
        if not found:
            raise unknown(kind)
        ids = [row["identifier_id"] for row in found]
        facts = {"identifiers": ids, "limit": MOST_SHOWN}
        links = fetch(connection, load_sql(ROOM, "links"), facts)
        changes = fetch(connection, load_sql(ROOM, "changes"), facts)
        return Identity(
            profile_id=found[0]["profile_id"],
            identifiers=tuple(
                Identifier(kind=row["kind"], value=row["value"], linked_at=row["linked_at"])
                for row in found
            ),
            links=tuple(_link(row) for row in links),
            cuts=tuple(read_cuts(connection, identifiers=ids)),
            changes=tuple(_change(row) for row in changes),
            decisions=tuple(read_decisions(connection, identifiers=ids, limit=MOST_SHOWN)),
        )


def identified(connection: Connection, kind: str, value: str) -> dict[str, Any]:
    """Return ``identifier_id`` and ``profile_id`` of an identifier, or raise ``UnknownProfile``."""
    facts = {"kind": kind, "value": value}
    found = fetch(connection, load_sql(ROOM, "profile_of"), facts) if storable(kind, value) else []
    if not found:
        raise unknown(kind)
    return found[0]


def read_cuts(
    connection: Connection, *, identifiers: Sequence[int] = (), cut_id: int | None = None
) -> list[Cut]:
    """Return the cuts that name one of ``identifiers``, or the one of this id."""
    facts = {"identifiers": list(identifiers), "cut_id": cut_id}
    return [
        Cut(
            cut_id=row["cut_id"],
            identifier=(row["kind"], row["value"]),
            anchor=(row["anchor_kind"], row["anchor_value"]),
            reason=row["reason"],
            cut_by=row["cut_by"],
            cut_at=row["cut_at"],
            restored_by=row["restored_by"],
            restored_at=row["restored_at"],
        )
        for row in fetch(connection, load_sql(ROOM, "cuts"), facts)
    ]


def read_decisions(
    connection: Connection, *, limit: int, identifiers: Sequence[int] | None = None
) -> list[Decided]:
    """Return what people decided about links, of ``identifiers`` or of all, the newest first."""
    facts = {
        "identifiers": None if identifiers is None else list(identifiers),
        "limit": max(0, min(limit, MOST_SHOWN)),
    }
    return [
        Decided(
            review_id=row["review_id"],
            owner=(row["owner_kind"], row["owner_value"]),
            other=(row["other_kind"], row["other_value"]),
            decision=row["decision"],
            decided_by=row["decided_by"],
            decided_at=row["decided_at"],
            taken_back_by=row["taken_back_by"],
            taken_back_at=row["taken_back_at"],
        )
        for row in fetch(connection, load_sql(ROOM, "decisions"), facts)
    ]


def moment(at_us: int) -> datetime:
    """Return the time of an epoch in microseconds."""
    return EPOCH + timedelta(microseconds=at_us)


def _link(row: dict[str, Any]) -> Link:
    return Link(
        owner=(row["owner_kind"], row["owner_value"]),
        other=(row["other_kind"], row["other_value"]),
        occurred_at=moment(row["occurred_at_us"]),
        message_id=row["message_id"],
        source_id=row["source_id"],
        rule=row["rule"],
        set_aside=row["set_aside"],
        decision=row["decision"],
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
    )


def _change(row: dict[str, Any]) -> Change:
    return Change(
        changed_at=row["changed_at"],
        identifier=(row["kind"], row["value"]),
        from_profile_id=row["from_profile_id"],
        to_profile_id=row["to_profile_id"],
        reason=row["reason"],
        message_id=row["message_id"],
        source_id=row["source_id"],
        changed_by=row["changed_by"],
    )
