"""Apply events to profiles: who is meant, and what is now known of them."""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from opportune.profiles.regroup import ROOM, Cause, Seed, refresh, regroup
from opportune.profiles.rules import RESERVED, IdentityRules, parse_identity_rules
from opportune.storage import Connection, fetch, load_sql, read_table, stage

__all__ = ["current_rules", "resolve"]

# Events that say what somebody did to a profile: no sign of life, and nobody new.
PASSIVE = (
    *("Message Sent", "Message Failed", "Message Sent By Braze", "Message Bounced"),
    *("Segment Entered", "Segment Exited"),
    *("Segment Memberships", "Identity Cut", "Identity Decided"),
)
SAYING = ("traits", "context", "properties")
STAGED = (
    "user_id",
    "anonymous_id",
    "type",
    "traits",
    "context",
    "properties",
    "occurred_at_us",
    "last_us",
    "message_id",
    "source_id",
)
COLUMNS = (
    "user_id text",
    "anonymous_id text",
    "type text",
    "traits text",
    "context text",
    "properties text",
    "occurred_at_us bigint",
    "last_us bigint",
    "message_id text",
    "source_id text",
    "place bigint generated always as identity",
)
READ = ("read_documents", "read_mentions", "read_named", "read_links")
ADD = ("read_arrivals", "add_profiles", "add_identifiers", "add_links")
# From here on a batch is worth statistics.
MANY = 500
NEW_LINKS = pa.schema(
    [
        ("owner_profile_id", pa.int64()),
        ("other_profile_id", pa.int64()),
        ("occurred_at_us", pa.int64()),
        ("owner_arrived_id", pa.int64()),
        ("other_arrived_id", pa.int64()),
    ]
)


def resolve(connection: Connection, events: pa.Table) -> None:
    """Apply a batch of ``events`` (columns of ``events.EVENTS``) inside the caller's transaction.

    Identifiers that messages name together become one profile, as far as the rules of identity
    allow; what they do not allow is set aside, for a person to look at. Traits of identify calls
    belong to the identifier of highest priority on the message; a profile has the newest of them.
    Rows of other types only tell that the profile was seen; what was done to it (`PASSIVE`) does
    not even tell that. Profiles follow from the set of all events, whatever order they came in and
    however they were cut into batches; running it again with the same rows changes nothing.
    """
    passive = pc.is_in(events["event"], value_set=pa.array(PASSIVE, pa.string()))
    active = events.filter(pc.invert(passive))
    if not active.num_rows:
        return
    fetch(connection, load_sql(ROOM, "lock_identity"))
    rules = current_rules(connection)
    stage(connection, "incoming", COLUMNS, _staged(active, rules))
    facts = _facts(rules)
    for step in READ:
        fetch(connection, load_sql(ROOM, step), facts)
    news = fetch(connection, load_sql(ROOM, "any_news"))[0]["news"]
    if news and active.num_rows >= MANY:
        fetch(connection, load_sql(ROOM, "analyze_named"))
    for step in ADD if news else ():
        fetch(connection, load_sql(ROOM, step), facts)
    seen = fetch(connection, load_sql(ROOM, "see_identifiers"), facts)
    touched = {row["profile_id"] for row in seen}
    if news and rules.consent is not None:
        begun = fetch(connection, load_sql(ROOM, "begun_together"))
        touched |= {row["profile_id"] for row in begun}
    fetch(connection, load_sql(ROOM, "see_profiles"), {"touched": sorted(touched)})
    if news:
        touched |= _regroup(connection, rules, pc.max(active["received_at"]).as_py())
    refresh(connection, touched, rules)
    fetch(connection, load_sql(ROOM, "drop_stage"))


def current_rules(connection: Connection) -> IdentityRules:
    """Return the rules of identity that were applied last, or the defaults."""
    rows = fetch(connection, load_sql(ROOM, "identity_rules"))
    problems: list[str] = []
    return parse_identity_rules(rows[0]["body"] if rows else {}, problems, where="identity")


def _staged(events: pa.Table, rules: IdentityRules) -> pa.Table:
    """Return the columns to read, without JSON that says nothing of who somebody is."""
    kind = events["type"]
    identify = pc.equal(kind, "identify")
    alias = pc.equal(kind, "alias") if rules.alias_sources else pa.scalar(False)
    nothing = pa.scalar(None, pa.string())
    columns = {name: events[name] for name in STAGED if name != "last_us"}
    columns["last_us"] = events["occurred_at_us"]
    columns["traits"] = pc.if_else(identify, events["traits"], nothing)
    for origin, needed in (("context", pa.scalar(False)), ("properties", alias)):
        names = {
            place.path[-1]
            for places in rules.places.values()
            for place in places
            if place.origin == origin
        } | ({"externalIds"} if origin == "context" else set())
        if names:
            pattern = f'"({"|".join(re.escape(name) for name in sorted(names))})"'
            found = pc.fill_null(pc.match_substring_regex(events[origin], pattern), False)
            needed = pc.or_(found, needed)
        columns[origin] = pc.if_else(needed, events[origin], nothing)
    return _once(pa.table(columns).select(STAGED))


def _once(messages: pa.Table) -> pa.Table:
    """Return ``messages`` with one row for all that name the same two ids and say no more.

    Of a click stream, that leaves a row per person. The row is the first of them by time and id.
    """
    silent = reduce(pc.and_, (pc.is_null(messages[name]) for name in SAYING))
    alike = messages.filter(silent).sort_by(
        [("occurred_at_us", "ascending"), ("message_id", "ascending")]
    )
    ids = ["user_id", "anonymous_id"]
    kept = [name for name in STAGED if name not in (*ids, "last_us")]
    grouped = alike.group_by(ids, use_threads=False).aggregate(
        [*((name, "first") for name in kept), ("last_us", "last")]
    )
    named = {name: grouped[f"{name}_first"] for name in kept}
    named |= {name: grouped[name] for name in ids} | {"last_us": grouped["last_us_last"]}
    return pa.concat_tables(
        [messages.filter(pc.invert(silent)), pa.table(named).select(STAGED).cast(messages.schema)]
    )


def _facts(rules: IdentityRules) -> dict[str, object]:
    places = [
        {"kind": kind, "origin": place.origin, "path": list(place.path)}
        for kind, places in rules.places.items()
        for place in places
    ]
    return {
        "places": json.dumps(places),
        "reserved": sorted(RESERVED),
        "blocked": sorted(rules.blocked),
        "blocked_patterns": list(rules.blocked_patterns),
        "alias_sources": sorted(rules.alias_sources),
        "priority": list(rules.priority),
        "most_identifiers": rules.most_identifiers,
        "always": rules.consent is not None,
    }


def _regroup(connection: Connection, rules: IdentityRules, now: datetime) -> set[int]:
    """Fold the links that are new, and return the profiles that changed by it."""
    found = read_table(connection, load_sql(ROOM, "new_links"), NEW_LINKS).to_pydict()
    seeds = [
        Seed(profile_id=owner, other_profile_id=other, since_us=at_us)
        for owner, other, at_us in zip(
            found["owner_profile_id"],
            found["other_profile_id"],
            found["occurred_at_us"],
            strict=True,
        )
    ]
    if not seeds:
        return set()
    arrived = frozenset(found["owner_arrived_id"] + found["other_arrived_id"]) - {None}
    cause = Cause(reason="evidence", now=now, arrived=arrived)
    return set(regroup(connection, seeds, rules, cause=cause))
