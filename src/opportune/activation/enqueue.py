"""Put a day's treated recommendations into the outbox: a row each, under a key that exists once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opportune.decisions import Option, UseCase
from opportune.profiles import consent_rules
from opportune.storage import Connection, Stores, fetch, load_sql, stage

__all__ = ["enqueue", "keep_statistics", "properties_of"]

STAGED = (
    "key text",
    "profile_id bigint",
    "user_id text",
    "properties text",
    "hour int",
    "channel text",
    "due_at timestamptz",
    "zone text",
)
CHANNEL = "channel"
NO_CONSENT = "no_consent"


def enqueue(
    stores: Stores, use_case: UseCase, day: date, *, now: datetime, ends_on: Sequence[str] = ()
) -> int:
    """Add the treatment decisions of ``day`` to the outbox; return how many new rows will be sent.

    A row is due when its decision says, or at once where that has passed. Control decisions never
    get a row, nor those that are to send nothing. Where the project asks for consent, what a
    profile does not allow is put down as failed, with the reason ``no_consent``. ``ends_on``: names
    of events with which its person has done what is asked for, or of a metric (`ends_with`), so
    that what waits is not sent.
    """
    rows = _recommendations(stores, use_case, day)
    quiet = use_case.constraints.quiet_hours
    facts = {
        "use_case": use_case.name,
        "day": day,
        "connector": use_case.activation.connector,
        "now": now,
        "ends_on": list(ends_on) if "converted" in use_case.activation.cancel_when else None,
        "quiet_from": None if quiet is None else quiet.start,
        "quiet_to": None if quiet is None else quiet.end,
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
        keep_statistics(connection, added[0]["added"])
    return count


def _recommendations(stores: Stores, use_case: UseCase, day: date) -> pa.Table:
    """Read what is to be sent of a day, in the columns of ``STAGED``."""
    decided = stores.engine.query(
        load_sql("opportune.activation", "treatment_of_day"),
        {"use_case": use_case.name, "day": day.isoformat()},
        tables={"decisions": ("day", day, day)},
    )
    columns = {
        "key": decided["decision_id"],
        "profile_id": decided["profile_id"],
        "user_id": decided["user_id"],
        **properties_of(use_case, decided["action"]),
        "due_at": decided["due_at"],
        "zone": decided["zone"],
    }
    return pa.table(columns).filter(columns["sends"]).drop_columns("sends")


def keep_statistics(connection: Connection, added: int) -> None:
    """Tell the planner of the outbox anew, where ``added`` rows make its picture a wrong one."""
    grew = fetch(connection, load_sql("opportune.activation", "outbox_grew"), {"added": added})
    if grew[0]["grew"]:
        fetch(connection, load_sql("opportune.activation", "analyze_outbox"))


def properties_of(use_case: UseCase, actions: pa.ChunkedArray) -> dict[str, pa.Array]:
    """Return of each action its properties as JSON text, its hour (null: at once) and channel, and
    whether it sends anything.

    There are few different actions and many profiles, so each action is written once. Beside its
    options it has their parameters.
    """
    names = [dimension.name for dimension in use_case.dimensions]
    width = len(names)
    flat = pc.list_flatten(actions).combine_chunks().dictionary_encode()
    codes = flat.indices.to_numpy().reshape(len(actions), width)
    different, which = np.unique(codes, axis=0, return_inverse=True)
    options = np.array(flat.dictionary.to_pylist(), dtype=object)
    chosen = options[different] if len(different) else np.empty((0, width), dtype=object)
    named = [{each.name: each for each in dimension.options} for dimension in use_case.dimensions]
    picked = [
        [options.get(name) for options, name in zip(named, row, strict=True)] for row in chosen
    ]
    texts = [
        msgspec.json.encode(_properties(names, row, options)).decode()
        for row, options in zip(chosen, picked, strict=True)
    ]
    hour, way = use_case.place_of("hour"), use_case.place_of("channel")
    if way is None and CHANNEL in names:
        way = names.index(CHANNEL)
    sends = [not any(each is not None and each.nothing for each in options) for options in picked]
    hours = [
        int(row[hour]) if hour is not None and does else None
        for row, does in zip(chosen, sends, strict=True)
    ]
    channels = [use_case.activation.channel if way is None else str(row[way]) for row in chosen]
    places = pa.array(which.reshape(-1))
    return {
        "properties": pa.array(texts, pa.string()).take(places),
        "hour": pa.array(hours, pa.int32()).take(places),
        "channel": pa.array(channels, pa.string()).take(places),
        "sends": pa.array(sends, pa.bool_()).take(places),
    }


def _properties(
    names: Sequence[str], row: Sequence[str], options: Sequence[Option | None]
) -> dict[str, object]:
    properties: dict[str, object] = dict(zip(names, row, strict=True))
    for option in options:
        if option is not None:
            properties |= option.parameters
    return properties
