"""Which values identify, how many of them, and what is used before somebody logs in."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest

from opportune import profiles
from opportune.storage import Stores

Row = dict[str, object]
Identify = Callable[..., Row]
Resolve = Callable[[Sequence[Row]], None]
Apply = Callable[..., None]

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def us(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us / 1e6, UTC)


@pytest.fixture
def rules(stores: Stores) -> Apply:
    """Make these the rules of identity."""

    def apply(**body: object) -> None:
        stores.state.rows(
            "insert into definition (kind, name, version, body, created_at)"
            " select 'settings', 'identity', count(*) + 1, %(body)s::jsonb, now() from definition",
            {"body": json.dumps(body)},
        )

    return apply


def identifiers(stores: Stores, kind: str, value: str) -> tuple[tuple[str, str], ...]:
    return profiles.get(stores.state, kind, value).identifiers


@pytest.mark.parametrize(
    "blocked",
    ["null", "NULL", "undefined", "-1", "00000000-0000-0000-0000-000000000000", "n/a", "0", "Test"],
)
def test_what_many_share_by_mistake_identifies_nobody(
    stores: Stores, identify: Identify, resolve: Resolve, blocked: str
) -> None:
    resolve([identify("u1", blocked, {"n": 1}), identify("u2", blocked, {"n": 2})])
    resolve([identify(blocked, "a1", {"n": 3}), identify(blocked, None, {"n": 4})])
    assert identifiers(stores, "user_id", "u1") == (("user_id", "u1"),)
    assert profiles.get(stores.state, "anonymous_id", "a1").traits == {"n": 3}
    assert stores.state.rows("select count(*)::int as n from profile") == [{"n": 3}]
    assert profiles.review(stores.state) == []


def test_values_and_patterns_of_the_project_are_blocked_as_well(
    stores: Stores, identify: Identify, resolve: Resolve, rules: Apply
) -> None:
    rules(blocked=["Guest"], blocked_patterns=["^kiosk-[0-9]+$"])
    resolve([identify("u1", "guest"), identify("u2", "kiosk-12"), identify("u3", "kiosk-x")])
    assert stores.state.rows("select count(*)::int as n from identifier") == [{"n": 4}]
    resolve([identify("u4", "null")])
    assert stores.state.rows("select count(*)::int as n from identifier") == [{"n": 5}]


def test_an_address_identifies_in_any_writing(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify("u1", traits={"email": " Ann@Example.com ", "phone": "0049 (170) 12-345"})])
    found = profiles.get(stores.state, "email", "ANN@example.com")
    assert found.identifiers == (
        ("email", "ann@example.com"),
        ("phone", "+4917012345"),
        ("user_id", "u1"),
    )
    assert found.traits["email"] == " Ann@Example.com "
    assert profiles.get(stores.state, "phone", "+49 170 12345") == found


@pytest.mark.parametrize("text", ["ann", "@", "a b@x", "12", "call me", ""])
def test_what_is_no_address_identifies_nobody(
    stores: Stores, identify: Identify, resolve: Resolve, text: str
) -> None:
    resolve([identify("u1", traits={"email": text, "phone": text})])
    assert identifiers(stores, "user_id", "u1") == (("user_id", "u1"),)


def test_external_ids_and_the_traits_in_the_context_identify_on_any_message(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    sound = {"id": "c1", "type": "crm", "collection": "users", "encoding": "none"}
    others = [
        {**sound, "id": "c2", "collection": "accounts"},
        {**sound, "id": "c3", "encoding": "hash"},
        {**sound, "id": "u9", "type": "user_id"},
        {**sound, "id": "c4", "type": "CRM"},
        {**sound, "id": 5},
        "c5",
    ]
    context = {"externalIds": [sound, *others], "traits": {"email": "x@example.com", "n": 1}}
    seen = identify("u1", None, type="track") | {"context": json.dumps(context)}
    group = identify("u1", None, {"email": "office@example.com"}, type="group")
    resolve([seen, group])
    found = profiles.get(stores.state, "crm", "c1")
    assert found.identifiers == (("crm", "c1"), ("email", "x@example.com"), ("user_id", "u1"))
    assert found.traits == {}


@pytest.mark.parametrize(
    "context", ['{"externalIds": 5}', '{"externalIds": [[]]}', '{"traits": []}', "externalIds", ""]
)
def test_a_context_that_cannot_be_read_identifies_nobody(
    stores: Stores, identify: Identify, resolve: Resolve, context: str
) -> None:
    resolve([identify("u1") | {"context": context}])
    assert identifiers(stores, "user_id", "u1") == (("user_id", "u1"),)


def test_a_kind_of_the_project_is_read_where_it_says(
    stores: Stores, identify: Identify, resolve: Resolve, rules: Apply
) -> None:
    rules(kinds={"card": ["traits.cardNo", "properties.card.no"]}, limits={"card": 2})
    track = identify(None, "a1", type="track", at_us=2_000_000)
    resolve([identify("u1", traits={"cardNo": 77})])
    resolve([track | {"properties": json.dumps({"card": {"no": "77"}})}])
    assert identifiers(stores, "card", "77") == (
        ("anonymous_id", "a1"),
        ("card", "77"),
        ("user_id", "u1"),
    )
    resolve([identify("u1", traits={"cardNo": n}, at_us=n) for n in (3_000_000, 4_000_000)])
    (item,) = profiles.review(stores.state)
    assert (item.reason, item.other) == ("limit", ("card", "4000000"))


def test_the_strongest_identifiers_are_joined_first(
    stores: Stores, identify: Identify, resolve: Resolve, rules: Apply
) -> None:
    rules(most_identifiers=2, priority=["user_id", "phone"])
    resolve([identify("u1", "a1", {"email": "x@example.com", "phone": "+4917012345"})])
    assert identifiers(stores, "user_id", "u1") == (("phone", "+4917012345"), ("user_id", "u1"))
    assert {item.reason for item in profiles.review(stores.state)} == {"size"}


@pytest.mark.parametrize("allowed", [True, False])
def test_an_alias_links_only_where_its_source_may(
    stores: Stores, identify: Identify, resolve: Resolve, rules: Apply, *, allowed: bool
) -> None:
    if allowed:
        rules(alias_sources=["shop"])
    alias = identify("u1", None, type="alias", at_us=5) | {
        "properties": json.dumps({"previousId": "a1"})
    }
    resolve([identify(None, "a1", {"n": 1}, at_us=1), identify("u2", traits={"n": 2}, at_us=1)])
    resolve([alias])
    resolve([alias | {"properties": json.dumps({"previousId": "u2"}), "message_id": "m6"}])
    assert profiles.get(stores.state, "user_id", "u1").traits == ({"n": 1} if allowed else {})
    assert [each.rule for each in profiles.identity(stores.state, "user_id", "u1").links] == (
        ["alias", "alias"] if allowed else []
    )
    assert identifiers(stores, "user_id", "u2") == (("user_id", "u2"),)


# --- before login and consent --------------------------------------------------------------------


@pytest.fixture
def visits(identify: Identify) -> list[Row]:
    """Somebody looks around, logs in, and looks around once more."""
    return [
        identify(None, "a1", {"size": "L", "colour": "red"}, at_us=1_000_000),
        identify("u1", None, {"plan": "plus"}, at_us=2_000_000),
        identify("u1", "a1", at_us=3_000_000, type="page"),
        identify(None, "a1", {"colour": "blue"}, at_us=4_000_000),
    ]


def since(stores: Stores) -> dict[str, int]:
    rows = profiles.identifiers(stores.state).to_pylist()
    return {row["value"]: row["since_us"] for row in rows}


@pytest.mark.parametrize("order", [1, -1])
def test_without_consent_nothing_from_before_the_login_is_used(
    stores: Stores, resolve: Resolve, rules: Apply, visits: list[Row], order: int
) -> None:
    rules(consent="personalise")
    for row in visits[::order]:
        resolve([row])
    found = profiles.get(stores.state, "user_id", "u1")
    assert found.traits == {"plan": "plus", "colour": "blue"}
    assert (found.first_seen_at, found.last_seen_at) == (us(2_000_000), us(4_000_000))
    assert since(stores) == {"u1": -(2**63), "a1": 3_000_000}


@pytest.mark.parametrize(
    ("who", "value", "at_us", "used"),
    [
        ("u1", True, 5_000_000, True),
        ("a1", True, 5_000_000, True),
        ("u1", "yes", 5_000_000, False),
        ("a1", True, 500_000, False),
        ("u1", False, 5_000_000, False),
    ],
    ids=["given", "given on the device later", "not said", "given before login", "refused"],
)
def test_consent_is_given_by_whoever_logged_in(
    stores: Stores,
    identify: Identify,
    resolve: Resolve,
    rules: Apply,
    visits: list[Row],
    who: str,
    value: object,
    at_us: int,
    used: bool,
) -> None:
    rules(consent="personalise")
    ids = (who, None) if who == "u1" else (None, who)
    resolve([*visits, identify(*ids, {"personalise": value}, at_us=at_us)])
    found = profiles.get(stores.state, "user_id", "u1")
    assert ("size" in found.traits) == used
    assert (since(stores)["a1"] == -(2**63)) == used


def test_consent_that_is_withdrawn_counts_at_once(
    stores: Stores, identify: Identify, resolve: Resolve, rules: Apply, visits: list[Row]
) -> None:
    rules(consent="personalise")
    resolve([*visits, identify("u1", None, {"personalise": True}, at_us=5_000_000)])
    assert profiles.get(stores.state, "user_id", "u1").traits["size"] == "L"
    resolve([identify("u1", None, {"personalise": False}, at_us=6_000_000)])
    assert "size" not in profiles.get(stores.state, "user_id", "u1").traits


def test_an_anonymous_profile_has_its_own_past(
    stores: Stores, resolve: Resolve, rules: Apply, visits: list[Row]
) -> None:
    rules(consent="personalise")
    resolve(visits[:1])
    assert profiles.get(stores.state, "anonymous_id", "a1").traits == {"size": "L", "colour": "red"}
    assert since(stores) == {"a1": -(2**63)}


def test_rules_that_change_are_applied_to_all_that_is_known(
    stores: Stores, identify: Identify, resolve: Resolve, rules: Apply, visits: list[Row]
) -> None:
    resolve([*visits, *(identify("u1", f"b{n}", at_us=9_000_000 + n) for n in range(3))])
    assert "size" in profiles.get(stores.state, "user_id", "u1").traits
    rules(consent="personalise", limits={"anonymous_id": 2})
    assert profiles.refold(stores.state, now=NOW) == 3
    assert identifiers(stores, "user_id", "u1") == (
        ("anonymous_id", "a1"),
        ("anonymous_id", "b0"),
        ("user_id", "u1"),
    )
    assert "size" not in profiles.get(stores.state, "user_id", "u1").traits
    assert profiles.refold(stores.state, now=NOW) == 0


# --- views ---------------------------------------------------------------------------------------


def test_the_same_events_under_two_views(
    stores: Stores, resolve: Resolve, visits: list[Row]
) -> None:
    resolve(visits)
    whole = profiles.get(stores.state, "anonymous_id", "a1", view="private")
    assert whole == profiles.get(stores.state, "user_id", "u1")
    assert whole.traits == {"plan": "plus", "size": "L", "colour": "blue"}
    device = profiles.get(stores.state, "anonymous_id", "a1", view="none")
    assert device.identifiers == (("anonymous_id", "a1"),)
    assert device.traits == {"size": "L", "colour": "blue"}
    assert (device.first_seen_at, device.last_seen_at) == (us(1_000_000), us(4_000_000))
    (row,) = profiles.snapshot(stores.state, view="none").to_pylist()
    assert (row["user_id"], json.loads(row["traits"])) == ("u1", {"plan": "plus"})
    assert row["profile_id"] == whole.profile_id
