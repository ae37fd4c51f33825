"""Who is who, over HTTP: links, cuts, and what waits for a decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from opportune import profiles
from opportune.events import EVENTS
from opportune.storage import Stores

Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def shared(stores: Stores) -> None:
    """Two known users on one device."""
    rows = [
        {
            "message_id": f"m{at_us}",
            "source_id": "shop",
            "type": "page",
            "user_id": user_id,
            "anonymous_id": "a/1",
            **dict.fromkeys(
                ("occurred_at", "occurred_at_us", "received_at", "received_at_us"), at_us
            ),
        }
        for at_us, user_id in ((1_000_000, "u1"), (2_000_000, "u2"))
    ]
    with stores.state.transaction() as connection:
        profiles.resolve(connection, pa.Table.from_pylist(rows, schema=EVENTS))


def named(kind: str, value: str) -> dict[str, str]:
    return {"kind": kind, "value": value}


U1, U2, A1 = named("user_id", "u1"), named("user_id", "u2"), named("anonymous_id", "a/1")
CUT = {**A1, "by": "ann", "reason": "a tablet"}


@pytest.mark.usefixtures("shared")
def test_the_identity_of_a_profile_is_its_links(ask: Ask, stores: Stores) -> None:
    status, found = ask("/api/identity/anonymous_id/a/1")
    assert status == 200
    assert found["profile_id"] == str(profiles.get(stores.state, "user_id", "u1").profile_id)
    at = "1970-01-01T00:00:01Z"
    assert found["identifiers"] == [{**A1, "linked_at": at}, {**U1, "linked_at": at}]
    undecided = dict.fromkeys(("decision", "decided_by", "decided_at"))
    assert found["links"][0] == {
        "owner": U1,
        "other": A1,
        "occurred_at": at,
        "message_id": "m1000000",
        "source": "shop",
        "rule": "seen_together",
        "set_aside": None,
        **undecided,
    }
    assert found["links"][1]["set_aside"] == "two_known"
    assert (found["cuts"], found["changes"]) == ([], [])


@pytest.mark.usefixtures("shared")
def test_a_cut_and_its_restoring_are_on_record(ask: Ask) -> None:
    status, cut = ask("/api/identity/cuts", CUT)
    assert (status, cut["identifier"], cut["anchor"], cut["cut_by"]) == (200, A1, U1, "ann")
    assert cut["restored_at"] is None
    status, restored = ask(f"/api/identity/cuts/{cut['cut_id']}/restore", {"by": "bob"})
    assert (status, restored["restored_by"]) == (200, "bob")
    _, found = ask("/api/identity/user_id/u1")
    assert [each["reason"] for each in found["changes"]] == ["restore", "cut"]
    assert found["cuts"] == [restored]
    status, refused = ask(f"/api/identity/cuts/{cut['cut_id']}/restore", {"by": "bob"})
    assert (status, refused["code"]) == (404, "unknown_cut")


@pytest.mark.usefixtures("shared")
def test_what_waits_is_listed_and_decided(ask: Ask, stores: Stores) -> None:
    status, listed = ask("/api/identity/review?limit=5")
    (item,) = listed["items"]
    assert (status, item["reason"], item["owner"], item["other"]) == (200, "two_known", U2, A1)
    assert item["other_profile_id"] == str(profiles.get(stores.state, "user_id", "u1").profile_id)
    path = f"/api/identity/review/{item['review_id']}"
    assert ask(path, {"decision": "move", "by": "ann"}) == (
        200,
        {"review_id": item["review_id"], "decision": "move"},
    )
    assert ask("/api/identity/review") == (200, {"items": []})
    decided = ask("/api/identity/user_id/u2")[1]["links"][-1]
    assert (decided["set_aside"], decided["decision"], decided["decided_by"]) == (
        None,
        "move",
        "ann",
    )
    assert decided["decided_at"] is not None
    found = ask("/api/profiles/anonymous_id/a/1")[1]["identifiers"]
    assert [named(each["kind"], each["value"]) for each in found] == [A1, U2]
    alone = ask("/api/profiles/anonymous_id/a/1?view=none")[1]["identifiers"]
    assert [named(each["kind"], each["value"]) for each in alone] == [A1]


@pytest.mark.usefixtures("shared")
def test_an_apart_decision_can_be_taken_back(ask: Ask) -> None:
    (item,) = ask("/api/identity/review")[1]["items"]
    path = f"/api/identity/review/{item['review_id']}"
    ask(path, {"decision": "apart", "by": "ann"})
    (decided,) = ask("/api/identity/decisions")[1]["items"]
    assert (decided["owner"], decided["other"], decided["taken_back_at"]) == (U2, A1, None)
    assert ask(f"{path}/take-back", {"by": "bob"}) == (200, {"items": [item]})
    (decided,) = ask("/api/identity/user_id/u2")[1]["decisions"]
    assert (decided["decision"], decided["taken_back_by"]) == ("apart", "bob")


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("identity/user_id/nobody", None, 404, "unknown_profile"),
        ("identity/cuts", {**CUT, **U1}, 409, "first_identifier"),
        ("identity/cuts", {**CUT, "value": "nobody"}, 404, "unknown_profile"),
        ("identity/cuts", {**CUT, "value": "a\0"}, 400, "invalid_input"),
        ("identity/cuts", {**CUT, "why": "x"}, 400, "invalid_input"),
        ("identity/cuts/9/restore", {"by": "ann"}, 404, "unknown_cut"),
        (f"identity/cuts/{2**63}/restore", {"by": "ann"}, 400, "invalid_input"),
        (f"identity/review/{'0' * 32}", {"decision": "same", "by": "a"}, 404, "unknown_review"),
        ("identity/review/x", {"decision": "perhaps", "by": "a"}, 400, "invalid_input"),
        ("identity/review?limit=0", None, 400, "invalid_input"),
        ("profiles/user_id/u1?view=all", None, 400, "invalid_input"),
    ],
)
def test_every_no_has_a_code_and_changes_nothing(
    ask: Ask, path: str, body: object, status: int, code: str
) -> None:
    before = ask("/api/identity/user_id/u1")
    answered, said = ask(f"/api/{path}", body)
    assert (answered, said["code"]) == (status, code)
    assert ask("/api/identity/user_id/u1") == before
