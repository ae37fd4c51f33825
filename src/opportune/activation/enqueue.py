"""Put a day's treated recommendations into the outbox: a row each, under a key that exists once."""

from __future__ import annotations

from datetime import date, datetime

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opportune.decisions import UseCase
from opportune.profiles import consent_rules
from opportune.storage import Stores, fetch, load_sql, stage

__all__ = ["enqueue"]

STAGED = (
    "key text",
    "profile_id bigint",
    "user_id text",
    "properties text",
    "hour int",
    "channel text",
)
CHANNEL = "channel"
NO_CONSENT = "no_consent"


def enqueue(stores: Stores, use_case: UseCase, day: date, *, now: datetime) -> int:
    """Add the treatment decisions of ``day`` to the outbox; return how many new rows will be sent.

    A row is due at the hour that its action names (UTC), or at once where no dimension means the
    hour or that hour has passed. Control decisions never get a row. Where the project asks for
    consent, what a profile does not allow is put down as failed, with the reason ``no_consent``.
    """
    decided = stores.engine.query(
        load_sql("opportune.activation", "treatment_of_day"),
        {"use_case": use_case.name, "day": day.isoformat()},
        tables={"decisions": ("day", day, day)},
    )
    rows = pa.table(
        {
            "key": decided["decision_id"],
            "profile_id": decided["profile_id"],
            "user_id": decided["user_id"],
            **_properties(use_case, decided["action"]),
        }
    )
    facts = {
        "use_case": use_case.name,
        "day": day,
        "connector": use_case.activation.connector,
        "now": now,
    }
    with stores.state.transaction() as connection:
        stage(connection, "recommendation", STAGED, rows)
        consent = consent_rules(connection)
        purpose = None if consent is None else use_case.activation.purpose or consent.sends or None
        facts |= {
            "purpose": purpose,
            "allowed_unless_refused": consent is not None and purpose in consent.assumed,
            "reason": NO_CONSENT,
        }
        if purpose is not None:
            fetch(connection, load_sql("opportune.activation", "analyze_consent"))
        added = fetch(connection, load_sql("opportune.activation", "enqueue"), facts)
        count: int = added[0]["count"]
        rows_added = {"added": added[0]["added"]}
        grew = fetch(connection, load_sql("opportune.activation", "outbox_grew"), rows_added)
        if grew[0]["grew"]:
            fetch(connection, load_sql("opportune.activation", "analyze_outbox"))
    return count


def _properties(use_case: UseCase, actions: pa.ChunkedArray) -> dict[str, pa.Array]:
    """Return the properties as JSON text, the hour (null: at once) and channel of each action.

    There are few different actions and many profiles, so each action is written once.
    """
    names = [dimension.name for dimension in use_case.dimensions]
    width = len(names)
    flat = pc.list_flatten(actions).combine_chunks().dictionary_encode()
    codes = flat.indices.to_numpy().reshape(len(actions), width)
    different, which = np.unique(codes, axis=0, return_inverse=True)
    options = np.array(flat.dictionary.to_pylist(), dtype=object)
    chosen = options[different] if len(different) else np.empty((0, width), dtype=object)
    texts = [msgspec.json.encode(dict(zip(names, row, strict=True))).decode() for row in chosen]
    hour = next((d for d, each in enumerate(use_case.dimensions) if each.meaning == "hour"), None)
    hours = [None if hour is None else int(row[hour]) for row in chosen]
    way = names.index(CHANNEL) if CHANNEL in names else None
    channels = [use_case.activation.channel if way is None else str(row[way]) for row in chosen]
    places = pa.array(which.reshape(-1))
    return {
        "properties": pa.array(texts, pa.string()).take(places),
        "hour": pa.array(hours, pa.int32()).take(places),
        "channel": pa.array(channels, pa.string()).take(places),
    }
