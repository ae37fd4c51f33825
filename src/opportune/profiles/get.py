"""Look one profile up by any of its identifiers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from opportune.errors import NotFound
from opportune.storage import State, load_sql

__all__ = ["Profile", "UnknownProfile", "get"]

# What no stored text contains: asking the database for it would be an error.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class UnknownProfile(NotFound):
    """No profile has this identifier."""

    code = "unknown_profile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One person or account, and what is known of it now."""

    profile_id: int
    identifiers: tuple[tuple[str, str], ...]
    traits: Mapping[str, object]
    segments: tuple[str, ...]
    first_seen_at: datetime
    last_seen_at: datetime


def get(state: State, kind: str, value: str) -> Profile:
    """Return the profile that has identifier (``kind``, ``value``), or raise ``UnknownProfile``."""
    found = (
        []
        if UNSTORABLE.search(kind + value)
        else state.rows(load_sql("opportune.profiles", "get"), {"kind": kind, "value": value})
    )
    if not found:
        raise UnknownProfile(
            f"No profile has this {kind}. Check the kind (user_id or anonymous_id) and the "
            "spelling; an event that was just sent takes up to a second."
        )
    row = found[0]
    return Profile(
        profile_id=row["profile_id"],
        identifiers=tuple((each["kind"], each["value"]) for each in row["identifiers"]),
        traits=row["traits"],
        segments=tuple(row["segments"]),
        first_seen_at=row["first_seen_at"],
        last_seen_at=row["last_seen_at"],
    )
