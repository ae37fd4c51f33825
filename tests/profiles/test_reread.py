"""Events first and rules later come to the same as rules first."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opportune import events, profiles
from opportune.events import EVENTS
from opportune.storage import Stores, fetch

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY_US = 86_400_000_000
TABLES = {
    "consent": "identifier_id, purpose, channel",
    "account": "account_id",
    "account_member": "account_id, identifier_id",
}
RULES: tuple[dict[str, Any], ...] = (
    {"purposes": {"news": {"traits": {"opt_in": "email"}, "categories": ["Ads"]}}},
    {"purposes": {"news": {"traits": {"opt_in": "sms", "é_in": "email"}}}, "event": "Asked"},
    {"purposes": {"news": {"categories": ["Ads"]}, "more": {"traits": {"é_in": "email"}}}},
    {},
)
YES_OR_NO = st.sampled_from([True, False, None])
SAID = st.one_of(
    st.dictionaries(st.sampled_from(["opt_in", "é_in"]), YES_OR_NO, min_size=1).map(
        lambda traits: {"type": "identify", "traits": traits}
    ),
    st.builds(
        lambda event, granted: {
            "type": "track",
            "event": event,
            "properties": {"granted": granted},
        },
        st.sampled_from(["Asked", "Consent Changed"]),
        YES_OR_NO,
    ),
    YES_OR_NO.map(
        lambda said: {
            "type": "page",
            "context": {"consent": {"categoryPreferences": {"Ads": said}}},
        }
    ),
    st.sampled_from([{"type": "group", "properties": {"groupId": "acme"}, "traits": {"size": 3}}]),
)
ROWS = st.lists(
    st.tuples(
        st.sampled_from([("ana", None), (None, "a1"), ("ben", "a1")]),
        SAID,
        st.integers(0, 9),
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=8,
)


def table(rows: list[Any], first: int) -> pa.Table:
    made = []
    for number, ((user, anonymous), said, at_us, day) in enumerate(rows, start=first):
        texts = {name: json.dumps(each) for name, each in said.items() if isinstance(each, dict)}
        received_us = day * DAY_US + number
        made.append(
            {
                "message_id": f"m{number:04}",
                "source_id": "shop",
                "type": said["type"],
                "event": said.get("event"),
                "user_id": user,
                "anonymous_id": anonymous,
                **dict.fromkeys(("occurred_at", "occurred_at_us"), at_us),
                **dict.fromkeys(("received_at", "received_at_us"), received_us),
                **texts,
            }
        )
    return pa.Table.from_pylist(made, schema=EVENTS)


def apply(stores: Stores, rules: dict[str, Any]) -> None:
    stores.state.rows(
        "insert into definition (kind, name, version, body, created_at)"
        " select 'settings', 'consent', coalesce(max(version), 0) + 1, %(body)s::jsonb, now()"
        " from definition where kind = 'settings' and name = 'consent'",
        {"body": json.dumps(rules)},
    )


def content(stores: Stores, *, of: pa.Table | None = None) -> dict[str, list[dict[str, Any]]]:
    """What the tables hold; with ``of``, what they would if those events came now."""
    with stores.state.transaction() as connection:
        if of is not None:
            for name in TABLES:
                fetch(connection, f"delete from {name}")  # noqa: S608
            profiles.keep_consent(connection, of)
            profiles.keep_accounts(connection, of)
        found = {
            name: fetch(connection, f"select * from {name} order by {keys}")  # noqa: S608
            for name, keys in TABLES.items()
        }
        connection.rollback()
    return found


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=ROWS, order=st.permutations(RULES), told=st.booleans())
def test_what_was_said_before_the_rules_counts_as_if_they_had_been_there(
    stores: Stores, rows: list[Any], order: list[dict[str, Any]], told: bool
) -> None:
    """One lake for all examples: more and more was said before."""
    events.create_tables(stores.lake)
    new = table(rows, stores.lake.read("events").num_rows)
    apply(stores, order[0])
    stores.lake.append("events", new)
    with stores.state.transaction() as connection:
        if told:
            profiles.keep_consent(connection, new)
        fetch(connection, "delete from events_read where subject = 'accounts'")
        fetch(connection, "delete from account")
        fetch(connection, "delete from account_member")
    apply(stores, order[1])
    before = content(stores)["consent"]
    changed: list[int] = []
    assert profiles.reread(stores, changed=lambda _, ids: changed.extend(ids))
    after = content(stores)
    assert after == content(stores, of=stores.lake.read("events"))
    differing = {json.dumps(row, sort_keys=True) for row in before}
    differing ^= {json.dumps(row, sort_keys=True) for row in after["consent"]}
    assert set(changed) == {json.loads(row)["identifier_id"] for row in differing}
    assert not profiles.reread(stores, changed=lambda *_: changed.clear())
