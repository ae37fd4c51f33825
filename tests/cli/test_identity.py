"""`opportune identity`: show, cut, restore, review, decide, refold."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from opportune import profiles
from opportune.events import EVENTS
from opportune.storage import Stores

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def shared(stores: Stores) -> None:
    """Two known users on one device."""
    rows = [
        {
            "message_id": f"m{number}",
            "source_id": "shop",
            "type": "page",
            "user_id": f"u{number}",
            "anonymous_id": "a1",
            "occurred_at": datetime(2026, 3, number, tzinfo=UTC),
            "occurred_at_us": 1_772_323_200_000_000 + (number - 1) * 86_400_000_000,
            "received_at": datetime(2026, 3, number, tzinfo=UTC),
            "received_at_us": 1_772_323_200_000_000,
        }
        for number in (1, 2)
    ]
    with stores.state.transaction() as connection:
        profiles.resolve(connection, pa.Table.from_pylist(rows, schema=EVENTS))


def test_show_prints_identifiers_and_links(run: Run, stores: Stores) -> None:
    code, out, _ = run("identity", "show", "user_id", "u1")
    assert (code, out.splitlines()) == (
        0,
        [
            f"profile {profiles.get(stores.state, 'user_id', 'u1').profile_id}",
            "  anonymous_id a1, since 2026-03-01 00:00:00 UTC",
            "  user_id u1, since 2026-03-01 00:00:00 UTC",
            "link user_id u1 - anonymous_id a1, 2026-03-01 00:00:00 UTC, seen_together in message "
            "m1 of shop, holds",
            "link user_id u2 - anonymous_id a1, 2026-03-02 00:00:00 UTC, seen_together in message "
            "m2 of shop, set aside: two_known",
        ],
    )
    code, out, _ = run("identity", "show", "user_id", "u1", "--json")
    assert [each["set_aside"] for each in json.loads(out)["links"]] == [None, "two_known"]


def test_cut_and_restore(run: Run) -> None:
    code, out, _ = run(
        "identity", "cut", "anonymous_id", "a1", "--by", "ann", "--reason", "a tablet"
    )
    assert code == 0
    assert out.startswith("cut 1: anonymous_id a1 from user_id u1, by ann on ")
    assert out.endswith(" UTC: a tablet\n")
    code, out, _ = run("identity", "restore", "1", "--by", "bob")
    assert (code, ", restored by bob on " in out) == (0, True)
    code, out, _ = run("identity", "show", "user_id", "u1")
    assert [line.split()[0] for line in out.splitlines()[-3:]] == ["cut", "change", "change"]
    code, out, err = run("identity", "restore", "1", "--by", "bob")
    assert (code, out, err.split(":")[0]) == (3, "", "unknown_cut")


def test_review_and_decide(run: Run, stores: Stores) -> None:
    (item,) = profiles.review(stores.state)
    code, out, _ = run("identity", "review")
    assert (code, out.splitlines()) == (
        0,
        [
            f"{item.review_id}  two_known: user_id u2 claims anonymous_id a1, 2026-03-02 00:00:00 "
            "UTC, seen_together in message m2 of shop",
            "1 to decide.",
        ],
    )
    code, out, _ = run("identity", "review", "--json")
    assert [each["review_id"] for each in json.loads(out)] == [item.review_id]
    assert run("identity", "decide", item.review_id, "same", "--by", "ann") == (
        0,
        f"{item.review_id}: same.\n",
        "",
    )
    assert run("identity", "review") == (0, "Nothing to decide.\n", "")
    assert len(profiles.get(stores.state, "user_id", "u2").identifiers) == 3
    _, out, _ = run("identity", "show", "user_id", "u2")
    assert "set aside: two_known, decided: same, by ann on " in out


def test_refold_says_what_changed(run: Run) -> None:
    assert run("identity", "refold") == (0, "0 profiles changed.\n", "")


def test_an_apart_decision_can_be_taken_back(run: Run, stores: Stores) -> None:
    (item,) = profiles.review(stores.state)
    assert run("identity", "review", "--decided") == (0, "Nothing was decided.\n", "")
    run("identity", "decide", item.review_id, "apart", "--by", "ann")
    code, out, _ = run("identity", "review", "--decided")
    assert code == 0
    assert out.startswith(f"{item.review_id}  apart: user_id u2 and anonymous_id a1, by ann on ")
    assert run("identity", "take-back", item.review_id, "--by", "bob") == (
        0,
        f"{item.review_id}: to decide.\n",
        "",
    )
    assert [each.review_id for each in profiles.review(stores.state)] == [item.review_id]
    _, out, _ = run("identity", "review", "--decided", "--json")
    (decided,) = json.loads(out)
    assert (decided["decided_by"], decided["taken_back_by"]) == ("ann", "bob")
    _, out, _ = run("identity", "show", "user_id", "u2")
    assert "decision " in out
    assert ", taken back by bob on " in out
    code, _, err = run("identity", "take-back", item.review_id, "--by", "bob")
    assert (code, err.split(":")[0]) == (3, "unknown_review")
    run("identity", "decide", item.review_id, "same", "--by", "ann")
    code, _, err = run("identity", "take-back", item.review_id, "--by", "bob")
    assert (code, err.split(":")[0]) == (4, "decision_stands")
