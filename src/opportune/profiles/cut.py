"""Take an identifier out of a profile, and put it back: both sides get what is theirs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from opportune.errors import Conflict, NotFound
from opportune.profiles.identity import identified, read_cuts
from opportune.profiles.model import Cut
from opportune.profiles.regroup import ROOM, Cause, Seed, refresh, regroup
from opportune.profiles.resolve import current_rules
from opportune.storage import Connection, State, fetch, load_sql

__all__ = [
    "Act",
    "FirstIdentifier",
    "UnknownCut",
    "cut",
    "cut_off",
    "put_back",
    "regroup_and_refresh",
    "restore",
]

ALWAYS_US = -(2**63)


class FirstIdentifier(Conflict):
    """The identifier is the one that its profile is named after."""

    code = "first_identifier"


class UnknownCut(NotFound):
    """No cut in force has this id."""

    code = "unknown_cut"


def cut(state: State, kind: str, value: str, *, by: str, reason: str, now: datetime) -> Cut:
    """Take the identifier (``kind``, ``value``) out of its profile and keep it apart.

    Whatever hangs on the profile through this identifier alone goes with it. Traits, times and
    identifiers of each side are those that its own messages told; messages that named both belong
    to the side of the identifier of higher priority. Nothing that was or will be seen joins the
    two again until `restore`.

    Raises ``UnknownProfile``, or ``FirstIdentifier`` for the one that a profile is named after: cut
    the others from it.
    """
    with state.transaction() as connection:
        fetch(connection, load_sql(ROOM, "lock_identity"))
        found = identified(connection, kind, value)
        act = Act(by=by, reason=reason, now=now)
        cut_id = cut_off(connection, found["identifier_id"], found["profile_id"], act)
        return read_cuts(connection, cut_id=cut_id)[0]


def restore(state: State, cut_id: int, *, by: str, now: datetime) -> Cut:
    """Undo a cut: everything is again as if it had never been made.

    Raises ``UnknownCut`` where there is none, or where it was restored before.
    """
    with state.transaction() as connection:
        fetch(connection, load_sql(ROOM, "lock_identity"))
        put_back(connection, cut_id, Act(by=by, reason="", now=now))
        return read_cuts(connection, cut_id=cut_id)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Who does something to an identity, when and why."""

    by: str
    reason: str
    now: datetime


def cut_off(connection: Connection, identifier_id: int, profile_id: int, act: Act) -> int:
    """Cut one identifier from its profile in the caller's transaction; return the cut's id."""
    if profile_id == identifier_id:
        raise FirstIdentifier(
            "This identifier is the first of its profile, and stays. Cut the others from it."
        )
    links = fetch(connection, load_sql(ROOM, "held_links"), {"profile_id": profile_id})
    times = {(row["owner_id"], row["other_id"]): row["occurred_at_us"] for row in links}
    stays = _connected(profile_id, [pair for pair in times if identifier_id not in pair])
    since_us = min(
        at_us for pair, at_us in times.items() if identifier_id in pair and stays & {*pair}
    )
    facts = {
        "identifier_id": identifier_id,
        "anchor_id": profile_id,
        "apart_from": sorted(stays),
        "reason": act.reason,
        "by": act.by,
        "now": act.now,
    }
    cut_id: int = fetch(connection, load_sql(ROOM, "add_cut"), facts)[0]["cut_id"]
    seed = Seed(profile_id=profile_id, other_profile_id=profile_id, since_us=since_us)
    regroup_and_refresh(connection, [seed], Cause(reason="cut", now=act.now, by=act.by))
    return cut_id


def put_back(connection: Connection, cut_id: int, act: Act) -> None:
    """Undo a cut in the caller's transaction."""
    facts = {"cut_id": cut_id, "by": act.by, "now": act.now}
    found = fetch(connection, load_sql(ROOM, "restore_cut"), facts)
    if not found:
        raise UnknownCut(
            f"No cut {cut_id} is in force. The identity of a profile lists its cuts; one that "
            "was restored cannot be restored again."
        )
    fetch(connection, load_sql(ROOM, "reopen_review"), facts)
    seed = Seed(
        profile_id=found[0]["profile_id"],
        other_profile_id=found[0]["other_profile_id"],
        since_us=ALWAYS_US,
    )
    regroup_and_refresh(connection, [seed], Cause(reason="restore", now=act.now, by=act.by))


def _connected(start: int, pairs: Iterable[tuple[int, int]]) -> set[int]:
    """Return whoever ``pairs`` connect with ``start``."""
    neighbours: dict[int, set[int]] = defaultdict(set)
    for one, two in pairs:
        neighbours[one].add(two)
        neighbours[two].add(one)
    reached, ahead = {start}, [start]
    while ahead:
        new = neighbours[ahead.pop()] - reached
        reached |= new
        ahead.extend(new)
    return reached


def regroup_and_refresh(connection: Connection, seeds: Iterable[Seed], cause: Cause) -> None:
    """Fold what an act of a person changes, and make the profiles that changed by it anew."""
    rules = current_rules(connection)
    refresh(connection, regroup(connection, seeds, rules, cause=cause), rules)
