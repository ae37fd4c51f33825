"""Read stored events again for what nobody asked of them when they came: consent and accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from opportune.profiles.accounts import keep_accounts
from opportune.profiles.consent import consent_rules, keep_statements
from opportune.profiles.permission import ConsentRules
from opportune.profiles.regroup import ROOM
from opportune.storage import Connection, Stores, fetch, load_sql

__all__ = ["Changed", "reread"]

Changed = Callable[[Connection, list[int]], object]
"""Hears, in the transaction that changes it, whose consent is another one now."""

DAY_US = 86_400_000_000
# What was received while the rest was read is read once more: by an older clock, too.
OVERLAP_DAYS = 2
# Raised when group calls are read otherwise.
ACCOUNTS_VERSION = 1


def reread(stores: Stores, *, changed: Changed) -> bool:
    """Read all stored events by the present rules of consent; False if they were read by them.

    Afterwards it is as if the rules had been there first: statements from before count, and those
    that the rules do not read any more are gone. Group calls from before accounts were kept are
    read as well. One transaction: killed anywhere, nothing has changed, and the next call begins
    anew. Events go on being taken in, but for the last moment.
    """
    found = stores.state.rows(load_sql(ROOM, "rules_read"))[0]
    if _is_read(found):
        return False
    with stores.state.transaction() as connection:
        fetch(connection, load_sql(ROOM, "lock_reading"))
        found = fetch(connection, load_sql(ROOM, "rules_read"))[0]
        if _is_read(found):
            return False
        rules = consent_rules(connection)
        fetch(connection, load_sql(ROOM, "begin_consent_again"))
        for events in _speaking(stores, rules):
            _keep(connection, events, rules)
            if found["accounts_read"] != ACCOUNTS_VERSION:
                _keep_accounts(stores, events)
        # Nobody takes anything into State until this is committed: what the lake has now is all.
        fetch(connection, load_sql(ROOM, "lock_identity"))
        for events in _speaking(stores, rules, newest=True):
            _keep(connection, events, rules)
        rows = fetch(connection, load_sql(ROOM, "replace_consent"))
        changed(connection, sorted(row["identifier_id"] for row in rows))
        for subject, version in (("consent", found["consent"]), ("accounts", ACCOUNTS_VERSION)):
            facts = {"subject": subject, "version": version}
            fetch(connection, load_sql(ROOM, "note_rules_read"), facts)
    return True


def _is_read(found: dict[str, Any]) -> bool:
    is_new = found["consent"] != found["consent_read"]
    return not is_new and found["accounts_read"] == ACCOUNTS_VERSION


def _speaking(
    stores: Stores, rules: ConsentRules | None, *, newest: bool = False
) -> Iterator[pa.Table]:
    """Yield the events that may speak, day by day; those of the newest days alone, if so asked."""
    days = stores.engine.query(load_sql(ROOM, "days_received"), tables={"events": None})["day"]
    for day in days.to_pylist()[-OVERLAP_DAYS if newest else 0 :]:
        facts = {
            "low_us": day * DAY_US,
            "high_us": (day + 1) * DAY_US - 1,
            "event": "" if rules is None else rules.event,
        }
        span = ("received_at_us", facts["low_us"], facts["high_us"])
        yield stores.engine.query(load_sql(ROOM, "may_speak"), facts, tables={"events": span})


def _keep(connection: Connection, events: pa.Table, rules: ConsentRules | None) -> None:
    if rules is not None:
        keep_statements(connection, events, rules, into="consent_again")


def _keep_accounts(stores: Stores, events: pa.Table) -> None:
    """Keep what group calls say, at once: whoever takes in others must not wait for the rest."""
    calls = events.filter(pc.equal(events["type"], "group"))
    if calls.num_rows:
        with stores.state.transaction() as connection:
            keep_accounts(connection, calls)
