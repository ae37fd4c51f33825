"""Our figures beside Braze's."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from opportune import reports
from opportune.activation.braze import CountedDay
from opportune.events import EVENTS
from opportune.storage import Lake
from opportune.storage.engine import open_engine

FIRST, LAST = date(2026, 1, 1), date(2026, 1, 2)
NOW = datetime(2026, 1, 3, tzinfo=UTC)
OURS = {"use_case": "next"}
BY_CAMPAIGN = reports.SentBy(use_case="next", target="c1")
CAMPAIGN = {"campaign_id": "c1"}
# Day of January, hour, name, what it says, how often.
HAPPENED = [
    (1, 23, "Message Sent", OURS, 4),
    (2, 0, "Message Sent", OURS, 3),
    (2, 5, "Message Sent", {"use_case": "other"}, 2),
    (2, 5, "Message Sent By Braze", CAMPAIGN, 6),
    (2, 6, "Message Opened", {**CAMPAIGN, "machine_open": True}, 2),
    (2, 6, "Message Opened", {**CAMPAIGN, "machine_open": False}, 1),
    (2, 6, "Message Clicked", {**CAMPAIGN, "suspected_bot": True}, 3),
    (2, 7, "Message Clicked", {**CAMPAIGN, "suspected_bot": False, "send_id": "s2"}, 1),
    (2, 7, "Message Clicked", {"campaign_id": "c2"}, 5),
    (2, 8, "Message Unsubscribed", CAMPAIGN, 1),
    (2, 8, "Message Bounced", CAMPAIGN, 1),
    (3, 0, "Message Opened", CAMPAIGN, 7),
]


def test_ours_stands_beside_braze_s_and_says_what_machines_did(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.create("events", EVENTS)
    lake.append("events", happened())
    engine = open_engine("duckdb:", lake)
    theirs = [
        CountedDay(day=LAST, sent=3, opens=4, clicks=4, conversions=2, revenue=10.0),
        CountedDay(day=FIRST, sent=3, opens=0),
    ]
    found = reports.reconcile(engine, theirs, sent=BY_CAMPAIGN, as_of=NOW)
    first, second = found.days
    assert first.ours == reports.OurDay(day=FIRST, accepted=4)
    assert second.ours == reports.OurDay(
        day=LAST,
        accepted=3,
        sent=6,
        opens=3,
        machine_opens=2,
        clicks=4,
        machine_clicks=3,
        unsubscribes=1,
        bounces=1,
    )
    assert (first.theirs.sent, second.theirs.sent) == (3, 3)
    assert (found.total.ours.accepted, found.total.theirs.sent) == (7, 6)
    assert (found.total.theirs.revenue, found.as_of) == (10.0, NOW)
    assert found.sentence == (
        "Braze accepted 7 messages and counts 6 as sent (1 fewer, 14.3%). Of 4 clicks that it told "
        "us of, 3 are machines', which leaves 1; Braze counts 4. Of 3 opens, 2 are machines'; "
        "Braze counts 4."
    )
    own = CountedDay(day=FIRST, sent=5, opens=4)
    found = reports.reconcile(engine, theirs, sent=BY_CAMPAIGN, as_of=NOW, whole=own)
    assert found.total.theirs == CountedDay(day=LAST, sent=5, opens=4)
    # Of the same campaign, what went out under ids of our own.
    apart = reports.SentBy(use_case="next", target="c1", send_ids=("s1", "s2"))
    found = reports.reconcile(engine, theirs, sent=apart, as_of=NOW)
    assert (found.total.ours.accepted, found.total.ours.clicks) == (7, 1)
    assert (found.send_ids, found.total.ours.opens) == (2, 0)
    assert found.sentence.endswith(
        "Braze counts 2 days of this use case's own sends, apart from all others."
    )
    engine.close()


def happened() -> pa.Table:
    rows = []
    for day, hour, name, said, count in HAPPENED:
        at = datetime(2026, 1, day, hour, tzinfo=UTC)
        at_us = int(at.timestamp()) * 1_000_000
        rows += [
            {
                "message_id": f"m{len(rows)}-{number}",
                "source_id": "braze",
                "type": "track",
                "event": name,
                "occurred_at": at,
                "occurred_at_us": at_us,
                "received_at": at + timedelta(hours=1),
                "received_at_us": at_us + 3_600_000_000,
                "properties": json.dumps(said),
            }
            for number in range(count)
        ]
    return pa.Table.from_pylist(rows, schema=EVENTS)
