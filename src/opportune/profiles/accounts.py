"""Accounts: what group calls say of a company or household, and who belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from opportune.errors import NotFound
from opportune.profiles.get import storable
from opportune.profiles.regroup import ROOM
from opportune.profiles.resolve import current_rules
from opportune.storage import Connection, State, fetch, load_sql, stage

__all__ = ["Account", "Member", "UnknownAccount", "account", "keep_accounts"]

MOST_MEMBERS = 1_000
COLUMNS = (
    "user_id text",
    "anonymous_id text",
    "traits text",
    "properties text",
    "occurred_at_us bigint",
    "message_id text",
    "source_id text",
)


class UnknownAccount(NotFound):
    """No group call named this account."""

    code = "unknown_account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A profile of an account, by one of its identifiers, and since when it belongs to it."""

    profile_id: int
    kind: str
    value: str
    joined_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A company, a household: what is known of it, and its newest members."""

    account_id: str
    traits: Mapping[str, object]
    first_seen_at: datetime
    last_seen_at: datetime
    member_count: int
    members: tuple[Member, ...]


def keep_accounts(connection: Connection, events: pa.Table) -> None:
    """Keep what the group calls among ``events`` say, in the caller's transaction.

    Of each trait the value that was said last counts, whichever came first; a member joined with
    its first call. Running it again with the same rows changes nothing.
    """
    calls = events.filter(pc.equal(events["type"], "group"))
    if not calls.num_rows:
        return
    stage(connection, "call", COLUMNS, calls.select([each.split()[0] for each in COLUMNS]))
    rules = current_rules(connection)
    facts = {"blocked": sorted(rules.blocked), "blocked_patterns": list(rules.blocked_patterns)}
    fetch(connection, load_sql(ROOM, "keep_accounts"))
    fetch(connection, load_sql(ROOM, "keep_members"), facts)
    fetch(connection, "drop table call")


def account(state: State, account_id: str) -> Account:
    """Return an account with its newest members, 1,000 at most; raises ``UnknownAccount``."""
    asked = {"account_id": account_id, "limit": MOST_MEMBERS}
    found = state.rows(load_sql(ROOM, "account"), asked) if storable("", account_id) else []
    if not found:
        raise UnknownAccount(
            "No group call named this account. Check the id; a call that was just sent takes up to "
            "a second."
        )
    row = found[0]
    return Account(
        account_id=account_id,
        traits=row["traits"],
        first_seen_at=row["first_seen_at"],
        last_seen_at=row["last_seen_at"],
        member_count=row["member_count"],
        members=tuple(_member(each) for each in row["members"]),
    )


def _member(row: Mapping[str, Any]) -> Member:
    return Member(
        profile_id=int(row["profile_id"]),
        kind=row["kind"],
        value=row["value"],
        joined_at=datetime.fromisoformat(row["joined_at"]),
    )
