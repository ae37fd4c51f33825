"""Let anonymous profiles expire that nobody has used for a while."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from opportune.privacy.model import ROOM, InvalidExpiry
from opportune.profiles.rules import USER_ID
from opportune.storage import State, fetch, load_sql
from opportune.telemetry import step

__all__ = ["expire", "parse_expiry"]

PROFILES_AT_ONCE = 10_000
MOST_DAYS = 36_500
ENTRY = re.compile(r"([a-z0-9][a-z0-9_.-]{0,62})\s*=\s*([1-9][0-9]{0,4})")


def parse_expiry(text: str) -> Mapping[str, int]:
    """Read ``OPPORTUNE_EXPIRE_AFTER_DAYS``: days of silence by kind of identifier; empty: never.

    >>> parse_expiry("anonymous_id=90, device_id=30")
    {'anonymous_id': 90, 'device_id': 30}

    Raises ``InvalidExpiry``.
    """
    found = {}
    for entry in filter(None, (each.strip() for each in text.split(","))):
        match = ENTRY.fullmatch(entry)
        if match is None or match[1] == USER_ID or int(match[2]) > MOST_DAYS:
            raise InvalidExpiry(
                f"OPPORTUNE_EXPIRE_AFTER_DAYS has {entry[:100]!r}. Allowed: kinds of identifiers "
                f"other than {USER_ID} with 1 to {MOST_DAYS} days, such as 'anonymous_id=90, "
                "device_id=30'."
            )
        found[match[1]] = int(match[2])
    return found


def expire(state: State, after_days: Mapping[str, int], *, now: datetime) -> int:
    """Remove profiles that are only known by kinds of ``after_days`` and were quiet for longer.

    Returns how many those were; they stay counted. Their events stay in the lake, where nobody
    looks them up by profile any more. In steps of their own transaction each; stopped and started
    again, it comes to the same.
    """
    if not after_days:
        return 0
    count = 0
    facts = {
        "kinds": list(after_days),
        "days": list(after_days.values()),
        "least": min(after_days.values()),
        "limit": PROFILES_AT_ONCE,
        "now": now,
    }
    with step("expire", {}) as running:
        while found := _expire_some(state, facts):
            count += found
        running.count("profiles", count)
    return count


def _expire_some(state: State, facts: Mapping[str, object]) -> int:
    with state.transaction() as connection:
        fetch(connection, load_sql("opportune.profiles", "lock_identity"))
        fetch(connection, load_sql(ROOM, "stage_expired"), facts)
        row = fetch(connection, load_sql(ROOM, "expired_ids"))[0]
        profiles: int = row["profiles"]
        if profiles:
            ids = {"ids": row["ids"]}
            fetch(connection, load_sql(ROOM, "delete_expired_links"), ids)
            fetch(connection, load_sql(ROOM, "delete_expired"), ids)
            counted = {"now": facts["now"], "profiles": profiles}
            fetch(connection, load_sql(ROOM, "count_expired"), counted)
    return profiles
