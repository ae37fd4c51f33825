"""Audiences: segments in minus segments out, and what a destination is to be told of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from opportune.documents import Document
from opportune.errors import nearest
from opportune.segments.model import Segment
from opportune.storage import Connection, State, fetch, load_sql

__all__ = [
    "Addressed",
    "Audience",
    "AudienceChanges",
    "audience_changes",
    "audience_sizes",
    "parse_audiences",
    "published",
]

ROOM = "opportune.segments"
MOST_CHANGES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Whoever is in one of ``segments`` and in none of ``minus``; ``labels`` say what it may do."""

    name: str
    title: str
    segments: tuple[str, ...]
    minus: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressed:
    """Somebody as a destination knows them: by the user id, or else by an anonymous id."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceChanges:
    """Whom a destination is to add and to remove; empty when it knows the audience as it is."""

    adds: tuple[Addressed, ...]
    removes: tuple[Addressed, ...]


def parse_audiences(
    bodies: Mapping[str, Mapping[str, object] | None],
    segments: Mapping[str, Segment | None],
    problems: list[str],
) -> dict[str, Audience]:
    """Read the tables of ``audiences/{name}.toml``; mistakes are added to ``problems``.

    None is one that cannot be read.
    """
    found = {}
    for name, body in bodies.items():
        if body is None:
            continue
        document = Document(body, f"audiences/{name}.toml", problems)
        found[name] = Audience(
            name=name,
            title=document.text("title", name),
            segments=document.texts("segments"),
            minus=document.texts("minus", ()),
            labels=document.texts("labels", ()),
        )
        document.close()
        for key, parts in (("segments", found[name].segments), ("minus", found[name].minus)):
            for part in parts:
                if part not in segments:
                    document.wrong(key, f"no segment '{part}'. {nearest(part, segments)}")
    return found


def audience_sizes(state: State, audiences: Mapping[str, Audience]) -> dict[str, int]:
    """Return how many are in each audience now."""
    asked = [
        {"name": each.name, "segments": each.segments, "minus": each.minus}
        for each in audiences.values()
    ]
    rows = state.rows(load_sql(ROOM, "audience_sizes"), {"audiences": json.dumps(asked)})
    return {row["name"]: row["members"] for row in rows}


def audience_changes(
    connection: Connection, audience: Audience, *, destination: str, limit: int = 1_000
) -> AudienceChanges:
    """Return up to ``limit`` people whom ``destination`` is still to add or remove, removes first.

    Until `published` says that it was told, the same call returns the same people, unless they
    moved meanwhile. A visitor who logs in is removed by the anonymous id and added by the user id.
    """
    facts = {
        "audience": audience.name,
        "destination": destination,
        "segments": list(audience.segments),
        "minus": list(audience.minus),
        "limit": max(1, min(limit, MOST_CHANGES)),
    }
    rows = fetch(connection, load_sql(ROOM, "audience_changes"), facts)
    people = {
        added: tuple(
            Addressed(kind=row["kind"], value=row["value"]) for row in rows if row["added"] == added
        )
        for added in (True, False)
    }
    return AudienceChanges(adds=people[True], removes=people[False])


def published(
    connection: Connection,
    audience: Audience,
    changes: AudienceChanges,
    *,
    destination: str,
    now: datetime,
) -> None:
    """Note that ``destination`` was told of ``changes``; saying it again changes nothing."""
    facts = {"audience": audience.name, "destination": destination, "now": now}
    for query, people in (("audience_removed", changes.removes), ("audience_added", changes.adds)):
        if people:
            names = {
                "kinds": [each.kind for each in people],
                "texts": [each.value for each in people],
            }
            fetch(connection, load_sql(ROOM, query), {**facts, **names})
