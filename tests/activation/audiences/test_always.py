"""Whatever happens and wherever it is killed: what was told comes to who is in now."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opportune.storage import Connection, State

USERS, VISITORS = ("ada", "bob", "carl"), ("x", "y")
USER, VISITOR = st.sampled_from(USERS), st.sampled_from(VISITORS)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("buys"), USER | VISITOR),
        st.tuples(st.sampled_from(["in", "out", "allows", "refuses"]), USER),
        st.tuples(st.just("logs in"), USER, VISITOR),
        st.sampled_from([("publish",), ("later",)]),
    ),
    max_size=24,
)
EXAMPLES = count()
CONSENT = {"purposes": {"ads": {"unknown": "yes", "traits": {"ads": "*"}}}}


def ids(name: str, life: str) -> dict[str, str]:
    return {"userId" if name in USERS else "anonymousId": f"{life}-{name}"}


def do(shop: Any, life: str, step: tuple[str, ...]) -> None:
    shop.now += timedelta(seconds=1)
    match step:
        case ("publish",):
            shop.publish()
        case ("later",):
            shop.now += timedelta(days=1)
            shop.ingest.tick()
        case ("buys", who):
            shop.say({"event": "Order Completed", **ids(who, life)})
        case ("logs in", user, visitor):
            shop.say({"event": "Login", **ids(user, life), **ids(visitor, life)})
        case (said, user):
            name = "newsletter" if said in ("in", "out") else "ads"
            traits = {name: said in ("in", "allows")}
            shop.say({"type": "identify", **ids(user, life), "traits": traits})


def members(shop: Any) -> set[str]:
    """Who is to be told, from what is kept of each profile."""
    rows = shop.stores.state.rows(
        "select profile_id, array_agg(segment) as segments from segment_membership"
        " where left_at is null group by profile_id"
    )
    found = set()
    for row in rows:
        own = shop.stores.state.rows(
            "select identifier_id, kind, value, linked_at from identifier"
            " where profile_id = %(profile_id)s",
            row,
        )
        said = shop.stores.state.rows(
            "select state from consent where identifier_id = any(%(ids)s)"
            " order by said_at_us desc, state desc limit 1",
            {"ids": [each["identifier_id"] for each in own]},
        )
        users = [each["value"] for each in own if each["kind"] == "user_id"]
        seen = sorted(own, key=lambda each: (-each["linked_at"].timestamp(), each["value"]))
        inside = {"lately", "buyers"} & {*row["segments"]} and "out" not in row["segments"]
        if inside and said != [{"state": "withdrawn"}]:
            found.add(min(users) if users else seen[0]["value"])
    return found


def heard(shop: Any) -> set[str]:
    """Whom a destination that does as it is told knows to be in."""
    known: set[str] = set()
    for who, is_in in shop.told():
        assert (who in known) != is_in, "nothing is told twice"
        (known.add if is_in else known.remove)(who)
    return known


@pytest.fixture
def lively(shop: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """People are looked at two at a time."""
    monkeypatch.setattr(sys.modules["opportune.activation.publish"], "PROFILES_AT_ONCE", 2)
    shop.segment("lately", {"event": "Login", "within": {"days": 2}})
    shop.fill()
    shop.define("settings", "consent", CONSENT)
    shop.audience(segments=["buyers", "lately"], purpose="ads")
    return shop


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_who_follows_what_is_told_knows_who_is_in(
    lively: Any, steps: list[tuple[str, ...]]
) -> None:
    life = f"life{next(EXAMPLES)}"
    for step in steps:
        do(lively, life, step)
    lively.publish()
    assert heard(lively) == members(lively)
    rows = lively.stores.state.rows("select value from audience_published")
    assert {row["value"] for row in rows} == members(lively)


class Killed(BaseException):
    """The process is gone."""


class MortalState(State):
    """Dies before or after its nth transaction."""

    def __init__(self, url: str, at: int) -> None:
        super().__init__(url)
        self.at, self.passed = at, 0

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        self._step()
        with super().transaction() as connection:
            yield connection
            self._step()
        self._step()

    def _step(self) -> None:
        self.passed += 1
        if self.passed - 1 == self.at:
            raise Killed


def test_killed_anywhere_it_tells_everything_once(lively: Any) -> None:
    script = [("buys", "ada"), ("buys", "bob"), ("buys", "x"), ("logs in", "ada", "x")]
    script += [("out", "bob"), ("refuses", "ada"), ("buys", "carl"), ("allows", "ada")]
    at = 0
    kills = 0
    for life in count():
        for step in script:
            do(lively, f"kill{life}", step)
            mortal = MortalState(lively.stores.database_url, at)
            try:
                lively.publish(mortal)
            except Killed:
                kills += 1
            at = at + 1 if mortal.passed > at else 0
            mortal.close()
        if life > 1 and at == 0:
            break
        assert life < 6
    assert kills > 15
    lively.publish()
    assert heard(lively) == members(lively)
    assert len(heard(lively)) > 3
