"""Let what a file says enter as events do: requests of the tracking protocol, then resolved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opportune import events, profiles
from opportune.replay.model import Campaign
from opportune.storage import Frame, Stores, load_sql

__all__ = ["Told", "enter_customers", "enter_outcomes", "source", "user_ids"]

Told = Callable[[str, int, int], object]
"""Hears of progress: what is being done, how much of it is done, how much there is."""

PER_REQUEST = 500
REQUESTS_AT_ONCE = 100
PROFILES_AT_ONCE = 50_000
MICROSECOND = 1e-6


def user_ids(campaign: Campaign) -> pa.Array:
    """A user id for each row, the same for the same file and schema."""
    numbers = pa.array(np.arange(1, campaign.rows + 1)).cast(pa.string())
    return pc.binary_join_element_wise(campaign.fingerprint, numbers, "-")


def source(campaign: Campaign) -> str:
    """The source id of the campaign's events."""
    return f"replay-{campaign.fingerprint}"


def enter_customers(
    stores: Stores, campaign: Campaign, seen: events.Deduplicator, *, at: datetime, told: Told
) -> pa.Table:
    """Make every row a profile by an identify event, and return the snapshot of these profiles.

    Running it again, also after being killed, adds nothing twice.
    """
    users = user_ids(campaign)
    known = _known(stores, users)
    if known.num_rows == campaign.rows:
        return known
    customers = pa.table(
        {
            "place": np.arange(campaign.rows),
            "user_id": users,
            "traits": campaign.traits.to_struct_array(),
        }
    )
    found = stores.engine.query(
        load_sql("opportune.replay", "customers"),
        {"timestamp": at.isoformat(), "per_request": PER_REQUEST},
        relations={"customers": customers},
    )
    frames = _frames(found, source(campaign), received_at=at)
    for start in range(0, len(frames), REQUESTS_AT_ONCE):
        told("customers recorded", min(start * PER_REQUEST, campaign.rows), campaign.rows)
        _record(stores, frames[start : start + REQUESTS_AT_ONCE], seen)
    _resolve(stores, campaign, told)
    return _known(stores, users)


def enter_outcomes(
    stores: Stores,
    outcomes: pa.Table,
    seen: events.Deduplicator,
    *,
    facts: Mapping[str, object],
    source_id: str,
    received_at: datetime,
) -> None:
    """Record a track event for each row of ``outcomes`` (user_id, value) that is not 0.

    ``facts`` are the parameters of the query: use_case, day, event, timestamp.
    """
    day = facts["day"]
    found = stores.engine.query(
        load_sql("opportune.replay", "outcomes"),
        {**facts, "per_request": PER_REQUEST},
        tables={"decisions": ("day", day, day)},
        relations={"outcomes": outcomes},
    )
    _record(stores, _frames(found, source_id, received_at=received_at), seen)


def _frames(requests: pa.Table, source_id: str, *, received_at: datetime) -> list[Frame]:
    received_at_us = round(received_at.timestamp() / MICROSECOND)
    return [
        Frame(received_at_us=received_at_us, source_id=source_id, kind="batch", body=body.encode())
        for body in requests["body"].to_pylist()
    ]


def _record(stores: Stores, frames: Sequence[Frame], seen: events.Deduplicator) -> None:
    decoders = {"batch": events.decode_segment}
    events.record(stores.lake, frames, offsets={}, decoders=decoders, seen=seen)


def _known(stores: Stores, users: pa.Array) -> pa.Table:
    everyone = profiles.snapshot(stores.state)
    return everyone.filter(pc.is_in(everyone["user_id"], value_set=users))


def _resolve(stores: Stores, campaign: Campaign, told: Told) -> None:
    identified = stores.engine.query(
        load_sql("opportune.replay", "identified"),
        {"source_id": source(campaign)},
        tables={"events": None},
    )
    for start in range(0, identified.num_rows, PROFILES_AT_ONCE):
        told("customers resolved", start, campaign.rows)
        with stores.state.transaction() as connection:
            profiles.resolve(connection, identified.slice(start, PROFILES_AT_ONCE))
    told("customers resolved", campaign.rows, campaign.rows)
