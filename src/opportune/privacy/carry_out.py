"""Forget whoever asked: State, lake, log and files in one pass for all, then the proof.

Killed anywhere and started again it comes to the same: each step finds what is left to do. The
identifiers of who is forgotten stay in ``privacy_subject`` until the scan found nothing any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

import msgspec
import pyarrow as pa

from opportune import reports
from opportune.errors import OpportuneError
from opportune.privacy.changes import Changes
from opportune.privacy.keep import Kept
from opportune.privacy.model import ROOM, StillThere, Told
from opportune.privacy.notes import blank_notes
from opportune.privacy.scan import search, search_files
from opportune.privacy.suppression import remember
from opportune.privacy.values import Subject, Values, for_state
from opportune.storage import Connection, Stores, fetch, load_sql, purge
from opportune.storage.blank import blank
from opportune.storage.rewrite import drop_history, rewrite
from opportune.storage.scrub import scrub
from opportune.telemetry import step

__all__ = ["Intake", "carry_out", "is_asked"]

TEXTS = ("clear_tail", "clear_samples", "clear_messages", "clear_audiences")
STEPS = (
    "count_notices",
    *TEXTS,
    *("settle_outbox", "rename_memberships", "clear_links", "clear_cuts"),
    *("delete_rows", "clear_touched", "add_anonymous"),
)
MOST_TRIES = 5
# A destination that cannot be reached does not keep anybody from being forgotten for longer.
TELL_WITHIN = timedelta(hours=1)


class Intake(Protocol):
    """Whoever takes in the log, the only one at this moment."""

    def catch_up(self) -> None:
        """Take in all that the log holds."""
        ...

    def reload(self) -> None:
        """Know whom to keep out from now on."""
        ...

    def taken_in(self) -> Mapping[str, int]:
        """Return how far each segment of the log has been taken in for good."""
        ...


def is_asked(stores: Stores, *, now: datetime) -> bool:
    """Say whether anybody waits to be forgotten, and there is something to do for it now."""
    facts = {"now": now, "longest_s": TELL_WITHIN.total_seconds()}
    found: bool = stores.state.rows(load_sql(ROOM, "open_requests"), facts)[0]["open"]
    return found


def carry_out(
    stores: Stores,
    intake: Intake,
    *,
    kept: Kept,
    secret: str,
    now: datetime,
    told: Told = lambda *_: None,
) -> list[str]:
    """Forget whoever asked and was not forgotten yet; return the ids of the requests now done.

    First every destination that was told of them is told to forget them; until all have taken it,
    or `TELL_WITHIN` is over, nothing else is done. All requests share one pass over the lake. What
    arrived before the pass is erased with the rest, what the same people do later is a new
    beginning. ``secret`` is random, and kept nowhere.
    Raises ``StillThere`` when the scan finds somebody, and whatever a store raises; the requests
    stay open, with the reason, and the next call goes on.
    """
    try:
        with step("forget", {}) as running:
            done = _carry_out(stores, intake, kept=kept, secret=secret, now=now, told=told)
            running.count("requests", len(done))
            return done
    except OpportuneError as error:
        said = f"{error.code}: {error.message}"
        stores.state.rows(load_sql(ROOM, "set_step"), {"step": "waiting", "error": said})
        raise


def _carry_out(
    stores: Stores, intake: Intake, *, kept: Kept, secret: str, now: datetime, told: Told
) -> list[str]:
    started = stores.state.rows(load_sql(ROOM, "start_requests"), {"now": now})
    if not started:
        return []
    done = Counter[str](max((row["done"] for row in started), key=len))
    values = _values(stores, intake, secret=secret, now=now)
    if values.subjects:
        if _is_telling(stores, now):
            _tell(stores, told, "telling destinations")
            return []
        _tell(stores, told, "State")
        _forget_in_state(stores, values, kept, done)
        _forget_in_lake(stores, values, kept, secret=secret, done=done, told=told)
        _tell(stores, told, "log")
        at = intake.taken_in()
        purge(stores.settings.log_folder, at)
        blank(stores.settings.log_folder, at)
        blank_notes(stores.settings.data_folder, values)
        _tell(stores, told, "searching")
        proof = search(stores, values, log_offsets=at, told=told)
        _check(proof)
        facts = {"proof": _json(proof), "done": _json(done)}
        stores.state.rows(load_sql(ROOM, "finish_requests"), facts)
    files = _scrub(stores, values, told)
    closed = stores.state.rows(
        load_sql(ROOM, "close_requests"), {"now": now, "files": _json(files)}
    )
    return [row["request_id"] for row in closed]


def _values(stores: Stores, intake: Intake, *, secret: str, now: datetime) -> Values:
    """Find everything that is one person with who asked, and keep the rest of them out."""
    intake.catch_up()
    with stores.state.transaction() as connection:
        fetch(connection, load_sql("opportune.profiles", "lock_identity"))
        fetch(connection, load_sql(ROOM, "add_subjects"), {"secret": secret})
    rows = stores.state.rows(load_sql(ROOM, "subjects"))
    values = Values(Subject(**row) for row in rows)
    named = [(each.kind, each.value) for each in values.subjects]
    remember(stores.settings.data_folder, stores.state, named, salt=secret[:32], now=now)
    intake.reload()
    return values


def _is_telling(stores: Stores, now: datetime) -> bool:
    """Have destinations told; say whether that is still to be waited for."""
    facts = {
        "now": now,
        "now_us": int(now.timestamp() * 1_000_000),
        "longest_s": TELL_WITHIN.total_seconds(),
    }
    with stores.state.transaction() as connection:
        fetch(connection, load_sql(ROOM, "tell_forgotten"), facts)
        count: int = fetch(connection, load_sql(ROOM, "open_notices"), facts)[0]["count"]
    return count > 0


def _forget_in_state(stores: Stores, values: Values, kept: Kept, done: Counter[str]) -> None:
    facts = {
        "traits": sorted(kept.traits),
        "exact": list(values.exact),
        "pattern": for_state(values.pattern),
        "folded": for_state(values.folded),
    }
    with stores.state.transaction() as connection:
        fetch(connection, load_sql("opportune.profiles", "lock_identity"))
        fetch(connection, load_sql(ROOM, "stage_forgotten"))
        fetch(connection, load_sql(ROOM, "stage_kept"), facts)
        for name in STEPS:
            for row in fetch(connection, load_sql(ROOM, name), facts if name in TEXTS else None):
                done[row["table_name"]] += row["rows"]
        _note(connection, done)


def _forget_in_lake(
    stores: Stores,
    values: Values,
    kept: Kept,
    *,
    secret: str,
    done: Counter[str],
    told: Told,
) -> None:
    changes = Changes(values=values, kept=kept, decided=_decided(stores, values), secret=secret)
    for table, change in changes.of().items():
        _tell(stores, told, table)
        found = rewrite(stores.lake, table, change, told=partial(told, table))
        done[f"lake.{table}"] += found.rewritten
        drop_history(stores.lake, table)
    reports.forget_open(stores.state)


def _decided(stores: Stores, values: Values) -> frozenset[str]:
    """Return which of their decisions stay, by the names that they have from now on.

    A decision whose reward is in stays: without it, the lift would be another one. One that has
    none yet stays where its outcome stays, which is where the person is made anonymous, and it was
    handed over or never will be: nothing may be sent to nobody.
    """
    erased = {each.new_id for each in values.subjects if each.erases}
    erased |= {each.new_profile_id for each in values.subjects if each.erases}
    every = sorted({*values.new_ids, *values.new_ids.values()})
    asked = pa.table({"profile_id": pa.array(every, pa.int64())})
    rows = stores.engine.query(
        load_sql(ROOM, "decisions_of"),
        tables={"decisions": None, "rewards": None},
        relations={"asked": asked},
    ).to_pylist()
    keys = stores.state.rows(load_sql(ROOM, "outbox_keys"), {"ids": every})
    handed_over = {values.replaced(row["key"]) for row in keys}
    gone = {f"{each & (2**64 - 1):016x}" for each in erased}
    stays = set()
    for row in rows:
        name = values.replaced(row["decision_id"]) or ""
        if row["mature"] or (
            name[-16:] not in gone
            and (row["variant"] in ("control", "holdout", "shadow") or name in handed_over)
        ):
            stays.add(name)
    return frozenset(stays)


def _check(proof: Mapping[str, Any]) -> None:
    places = [
        place for part in proof.values() if isinstance(part, dict) for place in part["places"]
    ]
    if places:
        raise StillThere(
            f"Somebody who was forgotten is still named in {', '.join(places[:20])}. If this is a "
            "definition or a file that was put there by hand, take the value out of it; the "
            "request stays open and is tried again."
        )


def _scrub(stores: Stores, values: Values, told: Told) -> dict[str, Any]:
    """Have the database drop the bytes, and on a server of our own, prove it."""
    own = stores.embedded is not None
    if not own:
        scrub(stores.state, own_server=False)
        return {"searched": False, "reason": "The server is not ours: its files are out of reach."}
    found: dict[str, Any] = {}
    for _ in range(MOST_TRIES):
        _tell(stores, told, "scrubbing")
        scrub(stores.state, own_server=True)
        if not values.subjects:
            return {"searched": False, "reason": "Scrubbed after a restart; the values were gone."}
        found = search_files(stores.settings.database_folder, values)
        if not found["hits"]:
            return found
    _check({"database_files": found})
    return found


def _tell(stores: Stores, told: Told, what: str) -> None:
    stores.state.rows(load_sql(ROOM, "set_step"), {"step": what, "error": None})
    told(what, 0, 1)


def _note(connection: Connection, done: Counter[str]) -> None:
    fetch(connection, load_sql(ROOM, "note_done"), {"done": _json(done)})


def _json(value: Mapping[str, Any]) -> str:
    return msgspec.json.encode(dict(value)).decode()
