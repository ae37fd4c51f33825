"""Fold all evidence anew, after the rules of identity were changed."""

from __future__ import annotations

from datetime import datetime

from opportune.profiles.cut import ALWAYS_US
from opportune.profiles.regroup import ROOM, Cause, Seed, refresh, regroup
from opportune.profiles.resolve import current_rules
from opportune.storage import State, fetch, load_sql

__all__ = ["refold"]

PROFILES_AT_ONCE = 10_000


def refold(state: State, *, now: datetime) -> int:
    """Apply the present limits and consent to what is known; return how many profiles changed.

    In steps of their own transaction each, so that events are taken in meanwhile; stopped and
    started again, it comes to the same. Which identifiers a message names, and which of them it
    belongs to, was decided when it came, and stays.
    """
    count = 0
    after: int | None = None
    while True:
        with state.transaction() as connection:
            fetch(connection, load_sql(ROOM, "lock_identity"))
            facts = {"after": ALWAYS_US if after is None else after, "limit": PROFILES_AT_ONCE}
            found = [
                row["profile_id"] for row in fetch(connection, load_sql(ROOM, "linked"), facts)
            ]
            if not found:
                return count
            rules = current_rules(connection)
            seeds = [
                Seed(profile_id=each, other_profile_id=each, since_us=ALWAYS_US) for each in found
            ]
            cause = Cause(reason="refold", now=now)
            changed = regroup(connection, seeds, rules, cause=cause)
            refresh(connection, {*found, *changed}, rules)
            count += len(changed)
            after = found[-1]
