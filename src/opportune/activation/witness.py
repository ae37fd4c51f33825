"""Engagement says what became of a send whose answer never came."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from opportune.storage import Connection, fetch, load_sql, stage

__all__ = ["witness"]

ROOM = "opportune.activation"
# Message ids of what Braze Currents posted begin with it.
CURRENTS = "braze:"
TYPE = r'"braze_event_type":"users\.messages\.[a-z]+\.(?P<happening>[A-Za-z]+)"'
DISPATCH = r'"dispatch_id":"(?P<dispatch_id>[^"\\]*)"'
DECISION = r'"decision_id":"(?P<decision_id>[^"\\]*)"'
CAMPAIGN = r'"campaign_id":"(?P<campaign>[^"\\]*)"'
CANVAS = r'"canvas_id":"(?P<campaign>[^"\\]*)"'
# Times of Currents are whole seconds, and Braze's clock may be behind ours.
SKEW_S = 60.0
STAGED = (
    "user_id text",
    "happening text",
    "dispatch_id text",
    "decision_id text",
    "campaign text",
    "occurred_at timestamptz",
    "place bigint generated always as identity",
)


def witness(connection: Connection, events: pa.Table) -> int:
    """Note what ``events`` (columns of ``events.EVENTS``) tell of open sends; return of how many.

    In the caller's transaction. Engagement names its send by the decision id of a clicked link or
    by the id of the call and its user; a Send or an Abort without either is of the user's open row
    whose use case sends with that campaign or canvas, or like the event without one. A row that
    was seen to go out is never sent again; the worker settles it without asking anybody.
    """
    ours = pc.and_(
        pc.starts_with(events["message_id"], CURRENTS),
        pc.match_substring(events["properties"], '"braze_event_type"'),
    )
    told = events.filter(pc.fill_null(ours, False))
    if not told.num_rows or not fetch(connection, load_sql(ROOM, "any_ambiguous"))[0]["is_any"]:
        return 0
    said = told["properties"].combine_chunks()
    campaign = pc.coalesce(_found(said, CAMPAIGN, "campaign"), _found(said, CANVAS, "campaign"))
    rows = pa.table(
        {
            "user_id": told["user_id"],
            "happening": _found(said, TYPE, "happening"),
            "dispatch_id": _found(said, DISPATCH, "dispatch_id"),
            "decision_id": _found(said, DECISION, "decision_id"),
            "campaign": campaign,
            "occurred_at": told["occurred_at_us"].cast(pa.timestamp("us", "UTC")),
        }
    )
    stage(connection, "engagement", STAGED, rows.filter(pc.is_valid(rows["happening"])))
    facts = {"skew_s": SKEW_S}
    count: int = fetch(connection, load_sql(ROOM, "witness"), facts)[0]["count"]
    fetch(connection, load_sql(ROOM, "witness_done"))
    return count


def _found(texts: pa.Array, pattern: str, name: str) -> pa.Array:
    return pc.struct_field(pc.extract_regex(texts, pattern), name)
