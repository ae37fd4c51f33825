"""No decision breaks a constraint: random definitions over random days, judged one by one."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import count, product
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opportune import policies, profiles
from opportune.decisions import (
    NoOption,
    UseCase,
    decide,
    held_back,
    parse_use_case,
    parts,
    snapshot,
)
from opportune.storage import Stores

FIRST = date(2026, 3, 27)
PEOPLE = 24
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", None)
CHANNELS = ("email", "push")
Row = dict[str, Any]
# A use case of its own for each example.
NUMBERS = count()

OPTIONS = {
    "offer": [
        {"name": "a"},
        {"name": "b", "eligible": {"trait": "b", "is": True}},
        {"name": "c", "valid_from": "2026-03-28", "valid_until": "2026-03-29"},
        {"name": "none", "nothing": True},
    ],
    "way": [{"name": "email"}, {"name": "push"}],
    "at": [{"name": "02"}, {"name": "09"}, {"name": "20"}],
    "on": [{"name": "sun"}, {"name": "mon"}],
    "pace": [{"name": "daily", "days": 1}, {"name": "slow", "days": 3}],
}
MEANINGS = {"way": "channel", "at": "hour", "on": "day", "pace": "frequency"}


def options_of(dimension: str) -> list[str]:
    return [str(option["name"]) for option in OPTIONS[dimension]]


@st.composite
def bodies(draw: st.DrawFn) -> Row:
    """The constraints and dimensions of a use case, as the marketer writes them."""
    names = draw(
        st.lists(st.sampled_from([*OPTIONS]), min_size=2, unique=True).filter(
            lambda found: {"offer", "way"} & set(found) != set()
        )
    )
    pair = st.lists(st.sampled_from(names), min_size=2, max_size=2, unique=True)
    some = {name: st.lists(st.sampled_from(options_of(name)), min_size=1) for name in names}
    forbidden = [
        {
            "options": {name: draw(some[name]) for name in draw(pair)},
            **draw(st.sampled_from([{}, {"when": {"trait": "strict", "is": True}}])),
        }
        for _ in range(draw(st.integers(0, 2)))
    ]
    cooldown: list[Row] = [
        {"days": draw(st.integers(1, 4)), "dimension": (name := draw(st.sampled_from(names)))}
        | draw(st.sampled_from([{}, {"options": options_of(name)[:1]}]))
        for _ in range(draw(st.integers(0, 2)))
    ]
    if draw(st.booleans()):
        cooldown.append({"days": draw(st.integers(2, 4))})
    quiet = draw(st.sampled_from([None, ("20:00", "08:30"), ("01:00", "02:30")]))
    return {
        "success_metric": "orders",
        "audience": {"segments": ["everybody"]},
        "activation": {"connector": "braze"},
        "policy": {"name": "uniform"},
        "dimensions": [
            {"name": name, "meaning": MEANINGS.get(name, "choice"), "options": OPTIONS[name]}
            for name in names
        ],
        "constraints": {
            **({"forbidden": forbidden} if forbidden else {}),
            **({"cooldown": cooldown} if cooldown else {}),
            **({"quiet_hours": {"from": quiet[0], "to": quiet[1]}} if quiet else {}),
        },
    }


def traits(person: int) -> Row:
    zone = ZONES[person % 4]
    known = {} if zone is None else {"timezone": zone}
    return {"b": person % 3 == 0, "strict": person % 2 == 0, **known}


def consents(person: int) -> set[str]:
    return {channel for place, channel in enumerate(CHANNELS) if person >> 2 & (1 << place)}


@pytest.fixture
def town(stores: Stores, people: Callable[..., None]) -> Stores:
    people(range(PEOPLE), [traits(person) for person in range(PEOPLE)])
    said = [(p, channel) for p in range(PEOPLE) for channel in CHANNELS if channel in consents(p)]
    stores.state.rows(
        "insert into consent (identifier_id, purpose, channel, state, said_at_us, message_id,"
        " source_id, evidence) select identity_hash('user_id', 'u' || (one ->> 0)), 'news',"
        " one ->> 1, 'granted', 1, 'm', 's', '{}' from jsonb_array_elements(%(said)s::jsonb) one",
        {"said": json.dumps(said)},
    )
    keep(stores, "settings", "consent", 1, {"sends": "news", "purposes": {"news": {}}})
    return stores


def keep(stores: Stores, kind: str, name: str, version: int, body: Row) -> None:
    stores.state.rows(
        "insert into definition values (%(kind)s, %(name)s, %(version)s, %(body)s::jsonb, now())",
        {"kind": kind, "name": name, "version": version, "body": json.dumps(body)},
    )


PATIENT = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@settings(PATIENT, max_examples=5)
@given(body=bodies(), turn=st.integers(1, 3))
def test_every_day_keeps_every_constraint_and_nothing_is_lost(
    town: Stores, body: Row, turn: int
) -> None:
    keeps_every_constraint(town, body, turn)


@pytest.mark.slow
@settings(PATIENT, max_examples=40)
@given(body=bodies(), turn=st.integers(1, 3))
def test_many_use_cases_keep_every_constraint(town: Stores, body: Row, turn: int) -> None:
    keeps_every_constraint(town, body, turn)


def keeps_every_constraint(town: Stores, body: Row, turn: int) -> None:
    problems: list[str] = []
    name = f"u{next(NUMBERS)}"
    case = parse_use_case(name, body, problems, version=1)
    if case is None:
        # Everything forbidden to everybody, or an option: what `check` refuses.
        assert problems
        assert all(("forbid" in each or "bar every" in each) for each in problems)
        return
    keep(town, "use_case", name, 1, body)
    # From one day on, another version names the same in another order.
    other = replace(case, version=2, dimensions=case.dimensions[::-1])
    judge = Judge(body)
    for number in range(5):
        day = FIRST + timedelta(days=number)
        present = case if number < turn else other
        run(town, present, day)
        judge.check(town, present, day)


def run(stores: Stores, case: UseCase, day: date) -> None:
    now = datetime.combine(day, time(6, 5), tzinfo=UTC)
    for first in (True, False):
        assert snapshot(stores, case, day, profiles.snapshot(stores.state)) == first
        with suppress(NoOption):
            done = decide(
                stores, case, day,
                policy=policies.Uniform(case.space), policy_version="p", now=now,
            )  # fmt: skip
            assert done == first


class Judge:
    """Says of each person and day which actions are allowed, rule by rule and in plain words."""

    def __init__(self, body: Row) -> None:
        self.body = body
        self.had: dict[int, list[tuple[date, dict[str, str]]]] = {p: [] for p in range(PEOPLE)}

    def check(self, stores: Stores, case: UseCase, day: date) -> None:
        known = one_day(stores, "features", case.name, day)
        decided = one_day(stores, "decisions", case.name, day)
        names = [dimension.name for dimension in case.dimensions]
        assert [row["profile_id"] for row in known] == list(range(PEOPLE))
        masks = eligible_actions(case, known)
        by_person = {row["profile_id"]: row for row in decided}
        assert len(by_person) == len(decided)
        for person, row in enumerate(known):
            possible = [
                dict(zip(names, action, strict=True))
                for action in product(*(options_of(name) for name in names))
            ]
            allowed = [self.allows(person, action, day) for action in possible]
            assert masks[person].tolist() == allowed
            waits = self.waits(person, day)
            assert (row["reason"] is None) == (person in by_person) == (any(allowed) and not waits)
            assert waits == (row["reason"] == "frequency")
            if person in by_person:
                made = dict(zip(names, by_person[person]["action"], strict=True))
                assert allowed[possible.index(made)]
                assert by_person[person]["propensity"] == pytest.approx(1 / sum(allowed))
                self.note(person, made, by_person[person], day)
        counted = held_back(stores, case, day)
        assert sum(counted.values()) == PEOPLE - len(decided)

    def allows(self, person: int, action: dict[str, str], day: date) -> bool:
        constraints = self.body["constraints"]
        return (
            all(self.is_meant(person, option, day) for option in action.values())
            and ("way" not in action or action["way"] in consents(person))
            and not any(broken(each, action, person) for each in constraints.get("forbidden", ()))
            and not any(
                self.is_cooling(person, each, action, day)
                for each in constraints.get("cooldown", ())
            )
            and not ("at" in action and self.is_quiet_hour(int(action["at"])))
        )

    def is_meant(self, person: int, option: str, day: date) -> bool:
        late = not date(2026, 3, 28) <= day <= date(2026, 3, 29)
        return not (option == "b" and not traits(person)["b"]) and not (option == "c" and late)

    def is_quiet_hour(self, hour: int) -> bool:
        return any(self.is_quiet(time(hour, minute)) for minute in range(60))

    def is_quiet(self, at: time) -> bool:
        quiet = self.body["constraints"].get("quiet_hours")
        if quiet is None:
            return False
        start, end = time.fromisoformat(quiet["from"]), time.fromisoformat(quiet["to"])
        return start <= at < end if start < end else at >= start or at < end

    def is_cooling(self, person: int, rule: Row, action: dict[str, str], day: date) -> bool:
        for on, past in self.had[person]:
            if abs((day - on).days) >= rule["days"]:
                continue
            name = rule.get("dimension")
            if name is None and past == action:
                return True
            if name and past[name] == action[name] in rule.get("options", options_of(name)):
                return True
        return False

    def waits(self, person: int, day: date) -> bool:
        if not self.had[person] or "pace" not in self.had[person][-1][1]:
            return False
        on, past = self.had[person][-1]
        return (day - on).days < {"daily": 1, "slow": 3}[past["pace"]]

    def note(self, person: int, action: dict[str, str], row: Row, day: date) -> None:
        """Keep what is sent, and check when."""
        if action.get("offer") == "none":
            assert row["due_at"] is None
            return
        later = row["due_at"] - row["decided_at"]
        assert timedelta(0) <= later
        here = row["due_at"].astimezone(ZoneInfo(ZONES[person % 4] or "UTC"))
        assert not self.is_quiet(here.time())
        if "at" in action:
            # On the 29th, in Berlin there is no hour from 2 to 3.
            gap = action["at"] == "02" and here.hour == 3 and here.date() == date(2026, 3, 29)
            assert here.hour == int(action["at"]) or gap
        if "on" in action:
            assert here.weekday() == {"sun": 6, "mon": 0}[action["on"]]
        self.had[person].append((day + timedelta(days=later.days), action))


def broken(rule: Row, action: dict[str, str], person: int) -> bool:
    applies = "when" not in rule or traits(person)["strict"]
    return applies and all(action[name] in named for name, named in rule["options"].items())


def one_day(stores: Stores, table: str, name: str, day: date) -> list[Row]:
    rows: list[Row] = stores.lake.read(table).to_pylist()
    found = [row for row in rows if row["use_case"] == name and row["day"] == day]
    return sorted(found, key=lambda row: row["profile_id"])


def eligible_actions(case: UseCase, known: list[Row]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """What the snapshot says, for each person and each action."""
    space = case.space
    found = np.zeros((len(known), space.combinations), dtype=bool)
    options = np.array([row["eligible"] for row in known], dtype=np.int64)
    forbidden = np.array([row["forbidden"] for row in known], dtype=np.int64)
    recent = pa.array([row["recent"] for row in known], pa.list_(pa.int64()))
    for rows, eligible in parts(case, options, forbidden, recent):
        for place, action in enumerate(space.actions()):
            found[rows, place] = eligible.allows(space, np.tile(action, (len(rows), 1)))
    return found
