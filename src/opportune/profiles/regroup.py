"""Fold again what new links, cuts or decisions can change, and move identifiers accordingly.

Only profiles are looked at that a change can reach: those it names, and whoever is linked to them
at that time or later. What held before that time holds still, and what was set aside before it
stays set aside, so the rest of a large tangle is not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from opportune.profiles.fold import Evidence, Folded, KnownIdentifier, Severed, fold
from opportune.profiles.rules import IdentityRules
from opportune.storage import Connection, fetch, load_sql, read_table, stage

__all__ = ["Cause", "Seed", "refresh", "regroup"]

ROOM = "opportune.profiles"
ID = pa.int64()
LINKS = pa.schema(
    [
        ("owner_id", ID),
        ("other_id", ID),
        ("occurred_at_us", ID),
        ("message_id", pa.string()),
        ("source_id", pa.string()),
        ("rule", pa.string()),
        ("settled", pa.bool_()),
        ("profile_id", ID),
        ("other_profile_id", ID),
    ]
)
MEMBERS = pa.schema(
    [
        ("identifier_id", ID),
        ("kind", pa.string()),
        ("value", pa.string()),
        ("profile_id", ID),
        ("sighted_at_us", ID),
        ("linked_at_us", ID),
    ]
)
MOVED = (
    "identifier_id bigint primary key",
    "profile_id bigint",
    "linked_at_us bigint",
    "message_id text",
    "source_id text",
    "arrived boolean",
)
OUTCOME = ("owner_id bigint", "other_id bigint", "set_aside text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why identifiers move: it goes into their history. ``by`` is a person, None for evidence."""

    reason: str
    now: datetime
    by: str | None = None
    arrived: Set[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """Two profiles (or one twice) that something new may join or part, from ``since_us`` on."""

    profile_id: int
    other_profile_id: int
    since_us: int


class _Clusters:
    """Profiles that can reach each other, and since when: the earliest of what is new in them."""

    def __init__(self) -> None:
        self.parent: dict[int, int] = {}
        self.since_us: dict[int, int] = {}

    def root(self, profile_id: int) -> int:
        parent = self.parent.setdefault(profile_id, profile_id)
        while parent != profile_id:
            above = self.parent[parent]
            self.parent[profile_id] = above
            profile_id, parent = parent, above
        return profile_id

    def join(self, one: int, two: int, since_us: int) -> None:
        first, second = self.root(one), self.root(two)
        times = [self.since_us.get(each, since_us) for each in (first, second)]
        self.parent[second] = first
        self.since_us[first] = min(since_us, *times)

    def since(self, profile_id: int) -> int:
        return self.since_us[self.root(profile_id)]


def regroup(
    connection: Connection, seeds: Iterable[Seed], rules: IdentityRules, *, cause: Cause
) -> list[int]:
    """Fold what ``seeds`` can reach, and write what came out differently.

    The caller holds the lock on identities. Profiles left without an identifier are deleted; those
    that lost or won one are returned, to be made anew with `refresh`.
    """
    links, profiles = _reach(connection, seeds)
    facts = {"profiles": profiles}
    found = read_table(connection, load_sql(ROOM, "members"), MEMBERS, facts).to_pydict()
    members = [
        KnownIdentifier(identifier_id=identifier_id, kind=kind, value=value, sighted_at_us=sighted)
        for identifier_id, kind, value, sighted in zip(
            found["identifier_id"],
            found["kind"],
            found["value"],
            found["sighted_at_us"],
            strict=True,
        )
    ]
    folded = fold(members, links, _cuts(connection, found["identifier_id"]), rules)
    _settle(connection, folded)
    moved = _moved(found, members, folded, cause.arrived)
    return _move(connection, moved, cause) if moved.num_rows else []


def refresh(connection: Connection, profiles: Iterable[int], rules: IdentityRules) -> None:
    """Make traits and times of these profiles anew from what is known of their identifiers."""
    facts = {"profiles": sorted(profiles), "consent": rules.consent}
    if facts["profiles"]:
        fetch(connection, load_sql(ROOM, "refresh_profiles"), facts)


def _reach(connection: Connection, seeds: Iterable[Seed]) -> tuple[list[Evidence], list[int]]:
    """Return the links to fold and the profiles they are between."""
    clusters = _Clusters()
    for seed in seeds:
        clusters.join(seed.profile_id, seed.other_profile_id, seed.since_us)
    links: dict[tuple[int, int], Evidence] = {}
    read_since: dict[int, int] = {}
    while wanted := {
        each: since
        for each in list(clusters.parent)
        if (since := clusters.since(each)) < read_since.get(each, since + 1)
    }:
        read_since |= wanted
        for link, profile_id, other_profile_id in _links(connection, wanted):
            links[link.owner_id, link.other_id] = link
            clusters.join(profile_id, other_profile_id, clusters.since(profile_id))
    return list(links.values()), sorted(clusters.parent)


def _links(connection: Connection, wanted: dict[int, int]) -> Iterator[tuple[Evidence, int, int]]:
    facts = {"profiles": list(wanted), "since_us": list(wanted.values())}
    found = read_table(connection, load_sql(ROOM, "links_since"), LINKS, facts)
    columns = [found[name].to_pylist() for name in LINKS.names]
    for owner, other, at_us, message, source, rule, settled, here, there in zip(
        *columns, strict=True
    ):
        yield (
            Evidence(
                owner_id=owner,
                other_id=other,
                occurred_at_us=at_us,
                message_id=message,
                source_id=source,
                rule=rule,
                settled=settled,
            ),
            here,
            there,
        )


def _cuts(connection: Connection, identifiers: list[int]) -> list[Severed]:
    rows = fetch(connection, load_sql(ROOM, "cuts_among"), {"identifiers": identifiers})
    return [
        Severed(
            cut_id=row["cut_id"],
            identifier_id=row["identifier_id"],
            anchor_id=row["anchor_id"],
            apart_from=frozenset(row["apart_from"]),
        )
        for row in rows
    ]


def _moved(
    before: dict[str, list[int]],
    members: list[KnownIdentifier],
    folded: Folded,
    arrived: Set[int],
) -> pa.Table:
    """Return the identifiers whose profile is another one now, or has been theirs since another
    time."""
    rows = []
    for member, profile_id, linked_us in zip(
        members, before["profile_id"], before["linked_at_us"], strict=True
    ):
        each = member.identifier_id
        link = folded.link_of.get(each)
        since_us = member.sighted_at_us if link is None else link.occurred_at_us
        if (profile_id, linked_us) != (folded.profile_of[each], since_us):
            rows.append(
                {
                    "identifier_id": each,
                    "profile_id": folded.profile_of[each],
                    "linked_at_us": since_us,
                    "message_id": None if link is None else link.message_id,
                    "source_id": None if link is None else link.source_id,
                    "arrived": each in arrived,
                }
            )
    return pa.Table.from_pylist(rows, schema=_MOVED)


_MOVED = pa.schema(
    [
        ("identifier_id", ID),
        ("profile_id", ID),
        ("linked_at_us", ID),
        ("message_id", pa.string()),
        ("source_id", pa.string()),
        ("arrived", pa.bool_()),
    ]
)


def _settle(connection: Connection, folded: Folded) -> None:
    if not folded.set_aside:
        return
    pairs = list(folded.set_aside)
    outcome = pa.table(
        {
            "owner_id": pa.array([owner for owner, _ in pairs], ID),
            "other_id": pa.array([other for _, other in pairs], ID),
            "set_aside": pa.array(list(folded.set_aside.values()), pa.string()),
        }
    )
    stage(connection, "outcome", OUTCOME, outcome)
    fetch(connection, load_sql(ROOM, "settle_links"))
    fetch(connection, "drop table outcome")


def _move(connection: Connection, moved: pa.Table, cause: Cause) -> list[int]:
    stage(connection, "moved", MOVED, moved)
    fetch(connection, load_sql(ROOM, "make_profiles"))
    facts = {"now": cause.now, "reason": cause.reason, "by": cause.by}
    fetch(connection, load_sql(ROOM, "record_changes"), facts)
    changed = [row["profile_id"] for row in fetch(connection, load_sql(ROOM, "move_identifiers"))]
    gone = {"profiles": changed, "now": cause.now}
    fetch(connection, load_sql(ROOM, "leave_segments"), gone)
    fetch(connection, load_sql(ROOM, "drop_profiles"), gone)
    fetch(connection, "drop table moved")
    return changed
