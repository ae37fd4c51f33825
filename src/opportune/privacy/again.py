"""After a backup was restored: forget once more whom it brought back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pyarrow as pa

from opportune.events import Event
from opportune.privacy.ask import Asked, ask
from opportune.privacy.model import ROOM
from opportune.privacy.suppression import Guard, Suppressed, read_suppressed
from opportune.profiles.resolve import current_rules
from opportune.storage import LakeUnavailable, Stores, load_sql

__all__ = ["ask_again"]

BY = "suppression list"
ASKED = pa.schema([("kind", pa.string()), ("value", pa.string())])
DOCUMENTS = ("properties", "traits", "context")


def ask_again(
    stores: Stores, *, now: datetime, new_id: Callable[[], str], lake: bool = True
) -> int:
    """Ask to erase every identifier that was forgotten and is there again; return how many.

    ``lake``: look at the events as well, which takes about a second a million identifiers; State
    alone is read at each start of a worker. Somebody who came back by themselves, after they were
    forgotten, is left alone.
    """
    entries = read_suppressed(stores.settings.data_folder, stores.state)
    found = {*_in_state(stores, entries), *(_in_lake(stores, entries) if lake else ())}
    for kind, value in sorted(found):
        ask(
            stores.state,
            kind,
            value,
            Asked(request_id=new_id(), mode="erase", by=BY, now=now),
        )
    return len(found)


def _in_state(stores: Stores, entries: list[Suppressed]) -> set[tuple[str, str]]:
    found = set()
    for salt in {each.salt for each in entries}:
        known = [each for each in entries if each.salt == salt]
        facts = {
            "salt": salt,
            "hashes": [each.identifier_hash for each in known],
            "times": [each.forgotten_at_us for each in known],
        }
        rows = stores.state.rows(load_sql(ROOM, "suppressed_identifiers"), facts)
        found |= {(row["kind"], row["value"]) for row in rows}
    return found


def _in_lake(stores: Stores, entries: list[Suppressed]) -> set[tuple[str, str]]:
    with stores.state.transaction() as connection:
        rules = current_rules(connection)
    guard = Guard()
    guard.load(entries, rules)
    if guard.newest_us < 0:
        return set()
    try:
        named = stores.engine.query(
            load_sql(ROOM, "old_names"),
            {"newest_us": guard.newest_us},
            tables={"events": None},
        )
    except LakeUnavailable:
        return set()
    found = {
        (kind, value)
        for kind, value, first_us in zip(*named.to_pydict().values(), strict=True)
        if guard.forgotten_at_us(kind, value) >= first_us
    }
    return found | _beside(stores, guard, found)


def _beside(stores: Stores, guard: Guard, found: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return what else these people's events name: an address may stand in others' events, too."""
    asked = {"kind": [kind for kind, _ in found], "value": [value for _, value in found]}
    rows = stores.engine.query(
        load_sql(ROOM, "person_events"),
        tables={"events": None},
        relations={"asked": pa.table(asked, schema=ASKED)},
    )
    names = ("message_id", "type", "event", "user_id", "anonymous_id", *DOCUMENTS)
    return {
        each
        for row in rows.select(names).to_pylist()
        for each in guard.named(Event(occurred_at_us=0, **row))
        if guard.forgotten_at_us(*each) >= 0
    }
