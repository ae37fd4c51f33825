"""Profiles: identifiers become one profile; traits keep their newest value in any order of events.

Invariants: a profile's id is a hash of its first identifier, so a rebuild from the log gives the
same ids; an identifier belongs to one profile; two profiles that both have a user id are never
joined; applying the same events twice changes nothing.

Deliberately absent: consent, limits per kind, cutting links, erasing.
"""

from opportune.profiles.get import Profile, UnknownProfile, get
from opportune.profiles.resolve import resolve
from opportune.profiles.snapshot import IDENTIFIERS, SNAPSHOT, identifiers, snapshot

__all__ = [
    "IDENTIFIERS",
    "SNAPSHOT",
    "Profile",
    "UnknownProfile",
    "get",
    "identifiers",
    "resolve",
    "snapshot",
]
