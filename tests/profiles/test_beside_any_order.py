"""Consent, accounts and hours of activity follow from the messages, however they arrive."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opportune import profiles
from opportune.events import EVENTS
from opportune.storage import Stores, fetch

HOUR_US = 3_600_000_000
TABLES = {
    "consent": "identifier_id, purpose, channel",
    "account": "account_id",
    "account_member": "account_id, identifier_id",
    "event_hour": "identifier_id, hour",
}
RULES = {
    "purposes": {
        "marketing": {"traits": {"opt_in": "email"}, "categories": ["Ads"]},
        "analytics": {"unknown": "yes", "categories": ["Ads", "Numbers"]},
    }
}
# Few of everything, so that the same is said again and at the same time.
WHO = st.fixed_dictionaries(
    {
        "user_id": st.sampled_from([None, "ana", "ben", "null"]),
        "anonymous_id": st.sampled_from([None, "a1", "a2"]),
    }
)
YES_OR_NO = st.sampled_from([True, False, None, "granted", "no", "perhaps", 7])
SAID = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("identify"), "traits": st.fixed_dictionaries({"opt_in": YES_OR_NO})}
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("track"),
            "event": st.just("Consent Changed"),
            "properties": st.fixed_dictionaries(
                {"granted": YES_OR_NO},
                optional={
                    "purpose": st.sampled_from(["marketing", "*"]),
                    "channel": st.sampled_from(["email", "sms"]),
                },
            ),
        }
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("page"),
            "context": st.fixed_dictionaries(
                {
                    "timezone": st.sampled_from(["Asia/Tokyo", "Europe/Faro"]),
                    "consent": st.fixed_dictionaries(
                        {
                            "categoryPreferences": st.dictionaries(
                                st.sampled_from(["Ads", "Numbers", "Other"]), YES_OR_NO
                            )
                        }
                    ),
                }
            ),
        }
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("group"),
            "properties": st.fixed_dictionaries({"groupId": st.sampled_from(["acme", "beta"])}),
            "traits": st.dictionaries(
                st.sampled_from(["size", "city"]), st.sampled_from([1, 2, None, "x"])
            ),
        }
    ),
)
TIMES = st.sampled_from([0, 1, 5, HOUR_US, HOUR_US + 1, 3 * HOUR_US, -1])


def row(number: int, who: dict[str, Any], said: dict[str, Any], at_us: int) -> dict[str, Any]:
    texts = {
        name: json.dumps(said[name]) for name in ("traits", "properties", "context") if name in said
    }
    return {
        "message_id": f"m{number:02}",
        "source_id": "shop",
        "type": said["type"],
        "event": said.get("event"),
        **who,
        **dict.fromkeys(("occurred_at", "occurred_at_us"), at_us),
        **dict.fromkeys(("received_at", "received_at_us"), at_us + number),
        **texts,
    }


def kept(stores: Stores, batches: list[list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """What the tables hold after these batches; they are empty again afterwards."""
    with stores.state.transaction() as connection:
        for batch in batches:
            table = pa.Table.from_pylist(batch, schema=EVENTS)
            profiles.keep_activity(connection, table)
            profiles.keep_accounts(connection, table)
            profiles.keep_consent(connection, table)
        found = {
            name: fetch(connection, f"select * from {name} order by {keys}")  # noqa: S608
            for name, keys in TABLES.items()
        }
        connection.rollback()
    return found


@pytest.fixture
def asking(stores: Stores) -> Stores:
    stores.state.rows(
        "insert into definition (kind, name, version, body, created_at)"
        " values ('settings', 'consent', 1, %(body)s::jsonb, now())",
        {"body": json.dumps(RULES)},
    )
    return stores


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    said=st.lists(st.tuples(WHO, SAID, TIMES), min_size=1, max_size=10),
    cuts=st.sets(st.integers(0, 10)),
    random=st.randoms(use_true_random=False),
)
def test_any_order_and_any_batches_come_to_the_same(
    asking: Stores, said: list[Any], cuts: set[int], random: Any
) -> None:
    rows = [row(number, *each) for number, each in enumerate(said)]
    expected = kept(asking, [rows])
    shuffled = random.sample(rows, len(rows))
    edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    parts = [shuffled[low:high] for low, high in pairwise(edges)]
    assert kept(asking, parts) == expected
    again = kept(asking, [rows, rows])
    assert all(again[name] == expected[name] for name in TABLES if name != "event_hour")
    assert sum(each["events"] for each in expected["event_hour"]) == sum(
        any(row[name] is not None for name in ("user_id", "anonymous_id")) for row in rows
    )


def test_of_what_was_said_at_the_same_moment_the_later_message_counts(asking: Stores) -> None:
    who = {"user_id": "ana", "anonymous_id": None}
    rows = [
        row(number, who, {"type": "identify", "traits": {"opt_in": value}}, 5)
        for number, value in enumerate((False, True))
    ]
    assert [each["state"] for each in kept(asking, [rows])["consent"]] == ["granted"]
    assert [each["state"] for each in kept(asking, [rows[1:], rows[:1]])["consent"]] == ["granted"]
