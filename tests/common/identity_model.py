"""A naive model of identity, and the same of the program, to be compared.

The model reads all messages in the order in which they happened, and joins what it may.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from opportune import profiles
from opportune.events import EVENTS
from opportune.profiles.cut import Act, cut_off, put_back
from opportune.storage import Connection, Stores, fetch

Id = tuple[str, str]
# (identifier, first identifier of the profile it was cut from, ids of all that stayed there)
Cut = tuple[Id, Id, frozenset[int]]
Message = dict[str, Any]

ACT = Act(by="ann", reason="two people", now=datetime(2026, 3, 1, tzinfo=UTC))
LIMITS = {"user_id": 1, "anonymous_id": 2, "email": 1}
OTHER_LIMIT = 5
MOST = 6
PRIORITY = ["user_id", "email"]
RULES = {"limits": {"anonymous_id": 2, "email": 1}, "most_identifiers": MOST}


def sometimes(*values: str) -> st.SearchStrategy[str | None]:
    return st.one_of(st.none(), st.sampled_from(values))


MESSAGES = st.lists(
    st.fixed_dictionaries(
        {
            "user_id": sometimes("u0", "u1", "u2", "null"),
            "anonymous_id": sometimes("a0", "a1", "a2", "a3"),
            "email": sometimes("x@example.com", "Y@example.com ", "n/a"),
            "phone": sometimes("+49 170 1234", "0049170-1234"),
            "card": sometimes("c0", "c1"),
            "type": st.sampled_from(["identify", "identify", "track"]),
            "plan": st.sampled_from([None, "basic", "plus", 1]),
            "at_us": st.integers(1, 6),
        }
    ),
    min_size=1,
    max_size=14,
)


# --- the model -----------------------------------------------------------------------------------


def rank(kind: str) -> tuple[int, str]:
    return (PRIORITY.index(kind) if kind in PRIORITY else len(PRIORITY), kind)


def named(message: Message) -> list[Id]:
    """The identifiers of a message, the strongest first."""
    email = (message["email"] or "").strip().lower()
    found = [
        ("user_id", message["user_id"] if message["user_id"] != "null" else None),
        ("anonymous_id", message["anonymous_id"]),
        ("email", email if "@" in email else None),
        ("phone", "+491701234" if message["phone"] else None),
        ("card", message["card"]),
    ]
    return sorted(
        ((kind, value) for kind, value in found if value), key=lambda each: (rank(each[0]), each[1])
    )


def identity_hash(identifier: Id) -> int:
    digest = hashlib.sha256(":".join(identifier).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def moment_of(message: Message) -> tuple[int, str]:
    return message["at_us"], message["message_id"]


class Model:
    """Groups of identifiers, grown message by message."""

    def __init__(self, messages: list[Message], cuts: list[Cut] | None = None) -> None:
        self.cuts = cuts or []
        self.sighted: dict[Id, int] = {}
        for message in messages:
            for each in named(message):
                self.sighted[each] = min(self.sighted.get(each, 99), message["at_us"])
        self.group = {each: frozenset([each]) for each in self.sighted}
        self.linked_us = dict(self.sighted)
        self.set_aside: dict[tuple[Id, Id], str | None] = {}
        self.own: dict[Id, list[Message]] = {each: [] for each in self.sighted}
        for message in sorted(messages, key=moment_of):
            first, *others = named(message) or [None]
            if first is not None:
                self.own[first].append(message)
                for other in others:
                    self.see(first, other, message["at_us"])

    def first(self, group: frozenset[Id]) -> Id:
        return min(group, key=lambda each: (rank(each[0]), self.sighted[each], each[1]))

    def see(self, one: Id, two: Id, at_us: int) -> None:
        here, there = self.group[one], self.group[two]
        reason = None if here == there else self.why_not(here, there)
        if any(
            (each == one and identity_hash(two) in apart)
            or (each == two and identity_hash(one) in apart)
            for each, _, apart in self.cuts
        ):
            reason = "cut"
        self.set_aside.setdefault((one, two), reason)
        if reason is None and here != there:
            whole = here | there
            for each in here if self.first(whole) in there else there:
                self.linked_us[each] = at_us
            self.group |= dict.fromkeys(whole, whole)

    def why_not(self, here: frozenset[Id], there: frozenset[Id]) -> str | None:
        if any(
            (each in here and anchor in there) or (each in there and anchor in here)
            for each, anchor, _ in self.cuts
        ):
            return "apart"
        one, two = (Counter(kind for kind, _ in group) for group in (here, there))
        if one["user_id"] and two["user_id"]:
            return "two_known"
        if any(one[kind] + two[kind] > LIMITS.get(kind, OTHER_LIMIT) for kind in one if two[kind]):
            return "limit"
        return "size" if len(here) + len(there) > MOST else None

    def known(self) -> dict[str, object]:
        whole = {identity_hash(self.first(group)): group for group in set(self.group.values())}
        return {
            "identifiers": {
                each: (identity_hash(self.first(group)), self.linked_us[each])
                for each, group in self.group.items()
            },
            "set_aside": self.set_aside,
            "profiles": {each: self.profile(group) for each, group in whole.items()},
        }

    def profile(self, group: frozenset[Id]) -> tuple[dict[str, object], int, int]:
        told: dict[str, tuple[tuple[int, str], object]] = {}
        for each in group:
            for message in self.own[each]:
                if message["type"] == "identify":
                    tie = hashlib.md5(message["message_id"].encode()).hexdigest()[:7]
                    for name, value in traits_of(message).items():
                        told[name] = max(
                            told.get(name, ((0, ""), None)),
                            ((message["at_us"], tie), value),
                            key=lambda said: said[0],
                        )
        times = [message["at_us"] for each in group for message in self.own[each]]
        fallback = [min(self.sighted[each] for each in group)]
        traits = {name: value for name, (_, value) in told.items() if value is not None}
        return traits, min(times or fallback), max(times or fallback)


# --- the program ---------------------------------------------------------------------------------


def traits_of(message: Message) -> dict[str, object]:
    traits = {"plan": message["plan"], "phone": message["phone"], "email": message["email"]}
    return {name: value for name, value in traits.items() if value is not None or name == "plan"}


def row(message: Message) -> dict[str, object]:
    card = {"id": message["card"], "type": "card", "collection": "users", "encoding": "none"}
    context: dict[str, object] = {"externalIds": [card]} if message["card"] else {}
    identify = message["type"] == "identify"
    if not identify:
        context["traits"] = traits_of(message)
    times = ("occurred_at", "occurred_at_us", "received_at", "received_at_us")
    return {
        "message_id": message["message_id"],
        "source_id": "shop",
        "type": message["type"],
        "user_id": message["user_id"],
        "anonymous_id": message["anonymous_id"],
        "traits": json.dumps(traits_of(message)) if identify else None,
        "context": json.dumps(context),
        **dict.fromkeys(times, message["at_us"]),
    }


@contextmanager
def undone(stores: Stores, rules: dict[str, object]) -> Iterator[Connection]:
    """A transaction with these rules of identity, taken back afterwards."""
    with stores.state.transaction() as connection, connection.transaction(force_rollback=True):
        fetch(
            connection,
            "insert into definition (kind, name, version, body, created_at)"
            " values ('settings', 'identity', 1, %(body)s::jsonb, now())",
            {"body": json.dumps(rules)},
        )
        yield connection


def resolve(connection: Connection, messages: list[Message], cuts: set[int]) -> None:
    places = [0, *sorted(cut for cut in cuts if 0 < cut < len(messages)), len(messages)]
    for start, end in pairwise(places):
        rows = [row(each) for each in messages[start:end]]
        profiles.resolve(connection, pa.Table.from_pylist(rows, schema=EVENTS))


def look(connection: Connection) -> dict[str, object]:
    found = fetch(
        connection,
        "select kind, value, identifier_id, profile_id,"
        " (extract(epoch from linked_at) * 1000000)::bigint as linked_us from identifier",
    )
    name = {each["identifier_id"]: (each["kind"], each["value"]) for each in found}
    return {
        "identifiers": {
            (each["kind"], each["value"]): (each["profile_id"], each["linked_us"]) for each in found
        },
        "set_aside": {
            (name[each["owner_id"]], name[each["other_id"]]): each["set_aside"]
            for each in fetch(
                connection, "select owner_id, other_id, set_aside from identifier_link"
            )
        },
        "profiles": {
            each["profile_id"]: (each["traits"], each["first_us"], each["last_us"])
            for each in fetch(
                connection,
                "select profile_id, traits,"
                " (extract(epoch from first_seen_at) * 1000000)::bigint as first_us,"
                " (extract(epoch from last_seen_at) * 1000000)::bigint as last_us from profile",
            )
        },
    }


def numbered(messages: list[Message]) -> list[Message]:
    return [{**each, "message_id": f"m{place}"} for place, each in enumerate(messages)]


def cuts_of(connection: Connection) -> list[Cut]:
    """The cuts in force."""
    rows = fetch(
        connection,
        "select one.kind, one.value, two.kind as first_kind, two.value as first_value, apart_from"
        " from identity_cut as cut"
        " join identifier as one on one.identifier_id = cut.identifier_id"
        " join identifier as two on two.identifier_id = cut.anchor_id"
        " where restored_at is null",
    )
    return [
        (
            (row["kind"], row["value"]),
            (row["first_kind"], row["first_value"]),
            frozenset(row["apart_from"]),
        )
        for row in rows
    ]


def cuttable(connection: Connection) -> list[tuple[int, int]]:
    """Identifier and profile of all that can be cut."""
    rows = fetch(
        connection,
        "select identifier_id, profile_id from identifier where identifier_id <> profile_id"
        " order by identifier_id",
    )
    return [(row["identifier_id"], row["profile_id"]) for row in rows]


def cut(connection: Connection, identifier_id: int, profile_id: int) -> int:
    return cut_off(connection, identifier_id, profile_id, ACT)


def restore(connection: Connection, cut_id: int) -> None:
    put_back(connection, cut_id, ACT)
