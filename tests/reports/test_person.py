"""Everything that is known of a person, from the messages that said it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opportune import profiles, project, reports
from opportune.profiles import Identifier, UnknownProfile
from opportune.reports import KnownTrait, Person
from opportune.reports.person import JoinedAccount, TimeZone, consent_answers, known_zone
from opportune.storage import Stores

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
TakeIn = Callable[..., None]


def at(minutes: int) -> str:
    return (NOW - timedelta(hours=2) + timedelta(minutes=minutes)).isoformat()


def identify(minutes: int, traits: dict[str, object], **said: object) -> dict[str, object]:
    return {
        "type": "identify",
        "messageId": f"i{minutes}",
        "userId": "ana",
        "timestamp": at(minutes),
        "traits": traits,
        **said,
    }


def person(stores: Stores, kind: str = "user_id", value: str = "ana") -> Person:
    return reports.person(stores.state, kind, value, default_zone="UTC")


def test_each_trait_says_who_told_it_and_when_in_any_order_of_arrival(
    stores: Stores, take_in: TakeIn
) -> None:
    take_in(identify(2, {"plan": "plus", "city": "Faro"}), source="crm")
    take_in(identify(1, {"plan": "basic", "age": 41}, anonymousId="a1"))
    take_in(identify(3, {"city": "Porto"}), source="crm")
    found = person(stores, "anonymous_id", "a1")
    assert found.traits == (
        KnownTrait(name="age", value=41, said_at=moment(1), source_id="shop", message_id="i1"),
        KnownTrait(name="city", value="Porto", said_at=moment(3), source_id="crm", message_id="i3"),
        KnownTrait(name="plan", value="plus", said_at=moment(2), source_id="crm", message_id="i2"),
    )
    assert found.identifiers == (
        Identifier(kind="anonymous_id", value="a1", linked_at=moment(1)),
        Identifier(kind="user_id", value="ana", linked_at=moment(1)),
    )
    assert (found.first_seen_at, found.last_seen_at) == (moment(1), moment(3))


def moment(minutes: int) -> datetime:
    return datetime.fromisoformat(at(minutes))


def test_tellings_of_which_nothing_counts_any_more_are_not_kept(
    stores: Stores, take_in: TakeIn
) -> None:
    for minutes in range(5):
        take_in(identify(minutes, {"plan": f"p{minutes}"}))
    assert [row["message_id"] for row in stores.state.rows("select message_id from telling")] == [
        "i4"
    ]


def test_one_identifier_alone_shows_what_its_own_messages_said(
    stores: Stores, take_in: TakeIn
) -> None:
    visitor = {"type": "identify", "anonymousId": "a1", "traits": {"theme": "dark"}}
    take_in({**visitor, "messageId": "v", "timestamp": at(0)}, identify(1, {"plan": "plus"}))
    take_in(identify(2, {"n": 1}, anonymousId="a1"))
    alone = reports.person(stores.state, "anonymous_id", "a1", default_zone="UTC", view="none")
    assert [each.name for each in alone.traits] == ["theme"]
    assert [each.value for each in alone.identifiers] == ["a1"]
    assert {each.name for each in person(stores).traits} == {"n", "plan", "theme"}


def test_the_zone_is_the_traits_or_that_of_the_newest_event_that_names_one(
    stores: Stores, take_in: TakeIn
) -> None:
    page = {"type": "page", "userId": "ana"}
    take_in(
        {**page, "messageId": "1", "timestamp": at(90), "context": {"timezone": "Asia/Tokyo"}},
        {**page, "messageId": "2", "timestamp": at(95)},
    )
    take_in({**page, "messageId": "3", "timestamp": at(2), "context": {"timezone": "Asia/Seoul"}})
    assert person(stores).time_zone == TimeZone(name="Asia/Tokyo", known_from="context")
    take_in(identify(5, {"timezone": "Mars/Olympus"}))
    assert person(stores).time_zone == TimeZone(name="Asia/Tokyo", known_from="context")
    take_in(identify(6, {"timezone": "Europe/Lisbon"}))
    assert person(stores).time_zone == TimeZone(name="Europe/Lisbon", known_from="trait")


@pytest.mark.parametrize(
    ("traits", "context", "expected"),
    [
        ({}, None, "missing"),
        ({"timezone": "Mars/Olympus"}, None, "wrong"),
        ({"timezone": 7}, None, "wrong"),
        ({}, "../etc/passwd", "wrong"),
        ({"time_zone": "Europe/Lisbon"}, "Asia/Tokyo", "trait"),
    ],
)
def test_a_zone_that_is_none_becomes_the_default(
    traits: dict[str, object], context: str | None, expected: str
) -> None:
    found = known_zone(traits, context, default="America/Lima")
    assert found.known_from == expected
    assert (found.name == "America/Lima") is found.is_default


def test_accounts_and_their_members_follow_from_group_calls_in_any_order(
    stores: Stores, take_in: TakeIn
) -> None:
    def group(minutes: int, user: str, traits: dict[str, object]) -> dict[str, object]:
        return {
            "type": "group",
            "messageId": f"g{minutes}",
            "userId": user,
            "groupId": "acme",
            "timestamp": at(minutes),
            "traits": traits,
        }

    take_in(group(5, "ana", {"size": 20, "country": None}), group(9, "ben", {}))
    take_in(group(2, "ana", {"size": 10, "country": "PT", "name": "Acme"}))
    assert person(stores).accounts == (JoinedAccount(account_id="acme", joined_at=moment(2)),)
    found = profiles.account(stores.state, "acme")
    assert found.traits == {"size": 20, "name": "Acme"}
    assert (found.first_seen_at, found.last_seen_at) == (moment(2), moment(9))
    assert [(each.value, each.joined_at) for each in found.members] == [
        ("ben", moment(9)),
        ("ana", moment(2)),
    ]
    assert found.member_count == 2
    with pytest.raises(profiles.UnknownAccount):
        profiles.account(stores.state, "acm")
    with pytest.raises(UnknownProfile):
        person(stores, "group_id", "acme")


CONSENT = """
[purposes.marketing]
unknown = "no"
categories = ["Advertising"]
[purposes.marketing.traits]
email_opt_in = "email"
[purposes.analytics]
unknown = "yes"
"""


@pytest.fixture
def asked(stores: Stores, tmp_path: Path) -> None:
    """A project that asks for consent."""
    folder = Path(__file__).parents[2] / "examples" / "shop"
    target = tmp_path / "asking"
    shutil.copytree(folder, target)
    (target / "consent.toml").write_text(CONSENT)
    project.apply(stores.state, target, now=NOW)


def allowed(stores: Stores) -> dict[tuple[str, str], bool]:
    rules = project.read(stores.state).consent
    answers = consent_answers(person(stores).consent, rules)
    return {(each.purpose, each.channel): each.allowed for each in answers}


@pytest.mark.usefixtures("asked")
def test_consent_comes_from_traits_categories_and_events_and_the_newest_wins(
    stores: Stores, take_in: TakeIn
) -> None:
    take_in(identify(1, {"plan": "plus"}))
    assert allowed(stores) == {
        ("marketing", "*"): False,
        ("marketing", "email"): False,
        ("analytics", "*"): True,
        ("analytics", "email"): True,
    }
    take_in(identify(3, {"email_opt_in": True}))
    assert allowed(stores)["marketing", "email"]
    assert not allowed(stores)["marketing", "*"]
    preferences = {"consent": {"categoryPreferences": {"Advertising": True, "Other": True}}}
    page = {"type": "page", "userId": "ana", "context": preferences}
    take_in({**page, "messageId": "p", "timestamp": at(2)})
    assert allowed(stores)["marketing", "*"]
    refusal = {
        "type": "track",
        "event": "Consent Changed",
        "userId": "ana",
        "messageId": "c",
        "timestamp": at(10),
        "properties": {"channel": "email", "granted": "withdrawn", "form": "letter"},
    }
    take_in(refusal)
    take_in(identify(9, {"email_opt_in": True}))
    assert allowed(stores) == {
        ("marketing", "*"): True,
        ("marketing", "email"): False,
        ("analytics", "*"): True,
        ("analytics", "email"): False,
    }
    said = {(each.purpose, each.channel): each for each in person(stores).consent}
    assert said["*", "email"].said_at == moment(10)
    assert said["*", "email"].evidence["form"] == "letter"
    assert (said["*", "email"].source_id, said["*", "email"].message_id) == ("shop", "c")
