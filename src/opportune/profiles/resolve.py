"""Apply events to profiles: who is meant, and what is now known of them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from opportune.storage import Connection, fetch, load_sql, stage

__all__ = ["resolve"]

# Events that say what somebody did to a profile: no sign of life, and nobody new.
PASSIVE = ("Message Sent", "Message Failed", "Message Sent By Braze", "Message Bounced")
STAGED = ("user_id", "anonymous_id", "type", "traits", "occurred_at_us")
COLUMNS = (
    "user_id text",
    "anonymous_id text",
    "type text",
    "traits text",
    "occurred_at_us bigint",
    "place bigint generated always as identity",
)
# In this order: profiles before the identifiers that point to them, identifiers before traits, and
# an anonymous profile's traits with its new owner before it goes.
STEPS = (
    "add_known",
    "link_known",
    "claim_anonymous",
    "adopt_anonymous",
    "drop_adopted",
    "add_anonymous",
    "link_anonymous",
    "see_claimed",
    "merge_traits",
)


def resolve(connection: Connection, events: pa.Table) -> None:
    """Apply a batch of ``events`` (columns of ``events.EVENTS``) inside the caller's transaction.

    Creates profiles and identifiers, links an anonymous identifier to the profile that logged in
    with it, and merges traits of identify calls: the newest by event time wins, of two at the same
    time the one that came later. Rows of other types only tell that the profile was seen; what was
    done to it (`PASSIVE`) does not even tell that. Running it again with the same rows changes
    nothing.
    """
    passive = pc.is_in(events["event"], value_set=pa.array(PASSIVE, pa.string()))
    active = events.filter(pc.invert(passive))
    if not active.num_rows:
        return
    stage(connection, "incoming", COLUMNS, active.select(STAGED))
    for step in STEPS:
        fetch(connection, load_sql("opportune.profiles", step))
    fetch(connection, "drop table incoming")
