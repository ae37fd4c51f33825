"""Links that were set aside: who waits for a person to decide, and what the person said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from opportune.errors import Conflict, InvalidInput, NotFound
from opportune.profiles.cut import Act, cut_off, regroup_and_refresh
from opportune.profiles.identity import EPOCH, moment, read_decisions
from opportune.profiles.model import Decided, Decision, ReviewItem
from opportune.profiles.regroup import ROOM, Cause, Seed
from opportune.storage import Connection, State, fetch, load_sql

__all__ = [
    "FITTING",
    "DecisionDoesNotFit",
    "DecisionStands",
    "UnknownReview",
    "decided",
    "identifiers_decided",
    "item_of",
    "review",
    "settle",
    "take_back",
]

MOST_ITEMS = 1_000
REVIEW_ID = re.compile("[0-9a-f]{32}")
HALF = 16
MICROSECOND = timedelta(microseconds=1)
# What may be said of a link, by the reason why it was set aside.
FITTING: dict[str, tuple[Decision, ...]] = {
    "two_known": ("apart", "move", "same"),
    "limit": ("apart", "same"),
    "size": ("apart", "same"),
    "apart": ("apart",),
}


class UnknownReview(NotFound):
    """Nothing with this id waits for a decision."""

    code = "unknown_review"


class DecisionDoesNotFit(InvalidInput):
    """A link that was set aside for this reason cannot be decided like that."""

    code = "decision_does_not_fit"


class DecisionStands(Conflict):
    """Such a decision is undone in another way."""

    code = "decision_stands"


def review(state: State, *, limit: int = 100) -> list[ReviewItem]:
    """Return what waits for a decision, the newest evidence first; at most a thousand items."""
    rows = state.rows(load_sql(ROOM, "review"), {"limit": max(0, min(limit, MOST_ITEMS))})
    return [item_of(row) for row in rows]


def item_of(row: Mapping[str, Any]) -> ReviewItem:
    """Read a row of ``review`` or ``review_page``."""
    return ReviewItem(
        review_id=row["review_id"],
        reason=row["reason"],
        owner=(row["owner_kind"], row["owner_value"]),
        other=(row["other_kind"], row["other_value"]),
        owner_profile_id=row["owner_profile_id"],
        other_profile_id=row["other_profile_id"],
        occurred_at=moment(row["occurred_at_us"]),
        message_id=row["message_id"],
        source_id=row["source_id"],
        rule=row["rule"],
    )


def decided(state: State, *, limit: int = 100) -> list[Decided]:
    """Return what was decided, the newest first, taken back or not; at most a thousand."""
    with state.transaction() as connection:
        return read_decisions(connection, limit=limit)


def take_back(state: State, review_id: str, *, by: str, now: datetime) -> None:
    """Take back that two are ``apart``: the link is on the review list again.

    Raises ``UnknownReview`` where nothing is decided, or ``DecisionStands``: ``move`` is undone by
    restoring its cut, ``same`` by cutting what does not belong there.
    """
    owner_id, other_id = identifiers_decided(review_id)
    with state.transaction() as connection:
        fetch(connection, load_sql(ROOM, "lock_identity"))
        facts = {"owner_id": owner_id, "other_id": other_id, "by": by, "now": now}
        found = fetch(connection, load_sql(ROOM, "take_back"), facts)
        if not found:
            raise UnknownReview(
                "Nothing with this id is decided. The list of what was decided has the ids; what "
                "was taken back cannot be taken back again."
            )
        if found[0]["decision"] != "apart":
            raise DecisionStands(
                f"It was decided '{found[0]['decision']}', and only 'apart' is taken back here. "
                "Undo 'move' by restoring the cut that it made, 'same' by cutting the identifier "
                "that does not belong there."
            )
        facts["decision_id"] = found[0]["decision_id"]
        fetch(connection, load_sql(ROOM, "taken_back"), facts)


def settle(state: State, review_id: str, decision: Decision, *, by: str, now: datetime) -> None:
    """Say what a link that was set aside means.

    ``apart``: two persons, leave it as it is. ``same``: one person, join the two profiles.
    ``move``: the identifier belongs to the profile that claims it; cut it from its present one.

    Raises ``UnknownReview``, or ``DecisionDoesNotFit`` with what does.
    """
    with state.transaction() as connection:
        fetch(connection, load_sql(ROOM, "lock_identity"))
        owner_id, other_id = identifiers_decided(review_id)
        facts: dict[str, object] = {
            "owner_id": owner_id,
            "other_id": other_id,
            "decision": decision,
            "by": by,
            "now": now,
        }
        decided = fetch(connection, load_sql(ROOM, "decide_link"), facts)
        if not decided:
            raise _unknown()
        link = decided[0]
        if decision not in FITTING[link["reason"]]:
            raise DecisionDoesNotFit(
                f"'{decision}' does not fit a link that was set aside for '{link['reason']}'. "
                f"Allowed: {', '.join(FITTING[link['reason']])}."
            )
        joined = _joined(link, owner_id, other_id) if decision == "same" else (None, None)
        facts |= {"joined_one_id": joined[0], "joined_two_id": joined[1]}
        fetch(connection, load_sql(ROOM, "add_decision"), facts)
        if decision == "move":
            act = Act(by=by, reason=f"review {review_id}", now=now)
            cut_off(connection, other_id, link["other_profile_id"], act)
        if decision == "same":
            _join(connection, link, facts | {"review_id": review_id})


def _join(connection: Connection, link: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    now = facts["now"]
    seed = Seed(
        profile_id=link["owner_profile_id"],
        other_profile_id=link["other_profile_id"],
        since_us=(now - EPOCH) // MICROSECOND,
    )
    joined = {
        "owner_id": facts["joined_one_id"],
        "other_id": facts["joined_two_id"],
        "now_us": seed.since_us,
    }
    fetch(
        connection,
        load_sql(ROOM, "add_decided_link"),
        joined | {"review_id": facts["review_id"]},
    )
    regroup_and_refresh(connection, [seed], Cause(reason="review", now=now, by=facts["by"]))


def _joined(link: Mapping[str, Any], owner_id: int, other_id: int) -> tuple[int, int]:
    """Return the two identifiers that are one person from now on."""
    if link["reason"] == "two_known":
        # Two people are one by their user ids, whatever the link was about.
        return link["owner_profile_id"], link["other_profile_id"]
    return other_id, owner_id


def identifiers_decided(review_id: str) -> tuple[int, int]:
    """Return the ids of the owner's and the other identifier. Raises ``UnknownReview``."""
    if not REVIEW_ID.fullmatch(review_id):
        raise _unknown()
    halves = (bytes.fromhex(half) for half in (review_id[:HALF], review_id[HALF:]))
    owner_id, other_id = (int.from_bytes(half, "big", signed=True) for half in halves)
    return owner_id, other_id


def _unknown() -> UnknownReview:
    return UnknownReview(
        "Nothing with this id waits for a decision. The review list has the ids; what was decided, "
        "or what other evidence settled, is on it no more."
    )
