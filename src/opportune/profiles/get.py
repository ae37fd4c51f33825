"""Look one profile up by any of its identifiers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opportune.errors import NotFound
from opportune.profiles.model import View
from opportune.storage import State, load_sql

__all__ = ["Profile", "UnknownProfile", "get", "profile_of", "storable", "unknown"]

# What no stored text contains: asking the database for it would be an error.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")
QUERIES: Mapping[View, str] = {"private": "get", "none": "get_alone"}


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


def get(state: State, kind: str, value: str, *, view: View = "private") -> Profile:
    """Return the profile that has identifier (``kind``, ``value``), or raise ``UnknownProfile``.

    The view ``none`` leaves all other identifiers out, and with them what is known through them;
    segments are those of the profile as it was resolved, so that view has none.
    """
    query = load_sql("opportune.profiles", QUERIES[view])
    asked = {"kind": kind, "value": value}
    found = state.rows(query, asked) if storable(kind, value) else []
    if not found:
        raise unknown(kind)
    return profile_of(found[0])


def profile_of(row: Mapping[str, Any]) -> Profile:
    """Read a row of ``get``, ``get_alone`` or ``people``."""
    return Profile(
        profile_id=row["profile_id"],
        identifiers=tuple((each["kind"], each["value"]) for each in row["identifiers"]),
        traits=row["traits"],
        segments=tuple(row["segments"]),
        first_seen_at=row["first_seen_at"],
        last_seen_at=row["last_seen_at"],
    )


def storable(kind: str, value: str) -> bool:
    """Say whether an identifier can be asked for at all."""
    return not UNSTORABLE.search(kind + value)


def unknown(kind: str) -> UnknownProfile:
    """Return the error that says so, without the value: it is personal."""
    return UnknownProfile(
        f"No profile has this {kind}. Check the kind (user_id or anonymous_id) and the "
        "spelling; an event that was just sent takes up to a second."
    )
