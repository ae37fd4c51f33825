"""After a backup was restored: forget once more whom it brought back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from opportune.privacy.ask import Asked, ask
from opportune.privacy.model import ROOM
from opportune.privacy.suppression import Guard, Suppressed, read_suppressed
from opportune.profiles.rules import IdentityRules
from opportune.storage import LakeUnavailable, Stores, load_sql

__all__ = ["ask_again"]

BY = "suppression list"


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
    guard = Guard()
    guard.load(entries, IdentityRules())
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
    return {
        (kind, value)
        for kind, value, first_us in zip(*named.to_pydict().values(), strict=True)
        if guard.forgotten_at_us(kind, value) >= first_us
    }
