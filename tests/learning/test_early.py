"""What a day's policy learns of days whose window is still open."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pyarrow as pa
import pytest

from opportune import events, learning, policies, profiles
from opportune.decisions import (
    ASKED_FEATURES,
    DECISIONS,
    FEATURES,
    Activation,
    Dimension,
    Option,
    UseCase,
)
from opportune.events import EVENTS, Metric
from opportune.learning import early, reward, train, waiting
from opportune.policies import Eligibility, FactoredThompson
from opportune.storage import Stores

FIRST = date(2026, 3, 1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PEOPLE, CONTROL = 240, 40
OFFERS = ("tv", "sim")
ORDERS = Metric(
    name="orders", title="Orders", event="Order", property=None, unit="orders", window_days=5
)
USE_CASE = UseCase(
    name="next",
    version=1,
    title="Next",
    success_metric="orders",
    audience=(),
    minus=(),
    features=(),
    dimensions=(
        Dimension(
            name="offer",
            meaning="choice",
            options=tuple(Option(name=each, eligible=None) for each in OFFERS),
        ),
    ),
    control_share=0.2,
    policy="factored_thompson",
    decide_at=time(6),
    activation=Activation(connector="braze", config={}),
)
# From this day on "sim" is what brings orders; before, no offer was better.
TURN = 3
TODAY = 7
# The last day whose window is over today.
AFTER = FIRST + timedelta(days=2)


def morning(number: int) -> datetime:
    return datetime.combine(FIRST, time(6), tzinfo=UTC) + timedelta(days=number)


def micros(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def lived(number: int) -> tuple[list[int], list[datetime | None]]:
    """What each profile got on a day, and when it ordered: within 100 hours, evenly, or never."""
    random = np.random.default_rng(number)
    offers = random.integers(0, 2, PEOPLE)
    chance = np.full(PEOPLE, 0.5) if number < TURN else np.where(offers == 1, 0.9, 0.1)
    ordered = random.random(PEOPLE) < chance
    hours = random.uniform(0, 100, PEOPLE)
    return offers.tolist(), [
        morning(number) + timedelta(hours=float(after)) if bought else None
        for after, bought in zip(hours, ordered, strict=True)
    ]


@pytest.fixture
def shop(stores: Stores) -> Stores:
    """Seven days, each decided at random; all that anybody ever orders is in the lake."""
    events.create_tables(stores.lake)
    tables = {"features": FEATURES, "asked_features": ASKED_FEATURES, "decisions": DECISIONS}
    for name, schema in {**tables, "rewards": learning.REWARDS}.items():
        stores.lake.create(name, schema)
    with stores.state.transaction() as connection:
        rows = [event(f"i{n}", n, "identify", morning(-9)) for n in range(PEOPLE)]
        profiles.resolve(connection, pa.Table.from_pylist(rows, schema=EVENTS))
    known = profiles.identifiers(stores.state).to_pylist()
    owners = {row["value"]: row["profile_id"] for row in known}
    for number in range(TODAY):
        offers, ordered = lived(number)
        day = FIRST + timedelta(days=number)
        rows = [
            {
                "decision_id": f"next:{number}:{n:03}",
                "use_case": "next",
                "version": 1,
                "day": day,
                "profile_id": owners[f"u{n}"],
                "user_id": f"u{n}",
                "variant": "control" if n < CONTROL else "treatment",
                "action": [OFFERS[offers[n]]],
                "propensity": 0.5,
                "dimension_propensities": [0.5],
                "eligible": [3],
                "policy_version": "p",
                "explored": False,
                "decided_at": morning(number),
                "decided_at_us": micros(morning(number)),
                "values": [],
            }
            for n in range(PEOPLE)
        ]
        for name in ("features", "decisions"):
            stores.lake.append(name, pa.Table.from_pylist(rows, schema=stores.lake.schema(name)))
        bought = [
            event(f"o{number}:{n}", n, "track", at, decision=f"next:{number}:{n:03}")
            for n, at in enumerate(ordered)
            if at is not None
        ]
        stores.lake.append("events", pa.Table.from_pylist(bought, schema=EVENTS))
    return stores


def event(name: str, place: int, kind: str, at: datetime, decision: str = "") -> dict[str, object]:
    return {
        "message_id": name,
        "source_id": "shop",
        "type": kind,
        "event": "Order" if kind == "track" else None,
        "user_id": f"u{place}",
        "properties": f'{{"decision_id": "{decision}"}}',
        "occurred_at": at,
        "occurred_at_us": micros(at),
        "received_at": at,
        "received_at_us": micros(at),
    }


def run(stores: Stores, number: int, *, early: bool = True) -> learning.Trained:
    """What the day's run does of it: rewards, then the policy."""
    now = morning(number)
    reward(stores, USE_CASE, ORDERS, now=now)
    day = FIRST + timedelta(days=number)
    return train(stores, USE_CASE, ORDERS, day, now=now if early else None)


def chance_of_sim(policy: policies.Policy) -> float:
    play = policy.distribution(np.zeros((1, 0)), Eligibility(options=np.array([[3]])), seed=1)
    return policies.probability(play, np.array([[1]], dtype=np.int16))[0]


def test_the_days_policy_follows_what_is_new_before_its_window_is_over(shop: Stores) -> None:
    found = run(shop, TODAY)
    assert found.trained_through == FIRST + timedelta(days=2)
    assert found.waiting == 4 * (PEOPLE - CONTROL)
    # Of the days that are complete nobody can know; those that are not say it clearly.
    assert chance_of_sim(found.policy) < 0.75
    assert found.playing is found.early
    assert chance_of_sim(found.playing) > 0.95
    without = train(shop, replace(USE_CASE, name="other"), ORDERS, FIRST, now=morning(0))
    assert (without.early, without.playing) == (None, without.policy)


def test_open_rows_have_what_came_by_now_and_the_share_that_should_have(shop: Stores) -> None:
    run(shop, TODAY, early=False)
    day, now = FIRST + timedelta(days=TODAY), morning(TODAY)
    batch = waiting(shop, USE_CASE, ORDERS, (AFTER, day), versions=[1], now=now)
    assert batch is not None
    assert batch.arrived is not None
    rewards, arrived = [], []
    mature = [
        (at - morning(number)) / timedelta(hours=1)
        for number in range(3)
        for at in lived(number)[1]
        if at is not None
    ]
    for number in range(TURN, TODAY):
        _, ordered = lived(number)
        age = 24 * (TODAY - number)
        rewards += [float(at is not None and at < now) for at in ordered[CONTROL:]]
        arrived += [np.mean([each < age for each in mature])] * (PEOPLE - CONTROL)
    assert batch.rewards.tolist() == rewards
    assert batch.arrived == pytest.approx(np.array(arrived), abs=1e-12)
    assert 0 < min(arrived) < 0.3 < 0.9 < max(arrived) <= 1


def test_what_was_seen_early_is_learned_once_when_it_is_complete(shop: Stores) -> None:
    for number in range(5, TODAY + 6):
        found = run(shop, number)
    assert (found.early, found.waiting) == (None, 0)
    policy: policies.Policy = FactoredThompson.start(USE_CASE.space, features=0, reward="binary")
    for number in range(TODAY):
        day = FIRST + timedelta(days=number)
        policy = policy.update(learning.lessons(shop, USE_CASE, ORDERS, day, versions=[1]))
    assert found.policy.to_bytes() == policy.to_bytes()


def test_a_day_is_decided_by_the_policy_that_was_kept_whenever_it_is_asked(shop: Stores) -> None:
    first = run(shop, TODAY)
    later = train(shop, USE_CASE, ORDERS, FIRST + timedelta(days=TODAY), now=morning(TODAY + 1))
    named = learning.of_version(shop, USE_CASE, first.version)
    assert named is not None
    for found in (later, named):
        assert found.playing.to_bytes() == first.playing.to_bytes()
        assert found.policy.to_bytes() == first.policy.to_bytes()
        assert (found.version, found.waiting) == (first.version, first.waiting)


def test_a_run_that_was_overtaken_decides_with_what_the_faster_one_kept(
    shop: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    reward(shop, USE_CASE, ORDERS, now=morning(TODAY))
    day, kept = FIRST + timedelta(days=TODAY), []
    module = sys.modules["opportune.learning.train"]

    def overtaken(*given: object, **named: object) -> policies.Batch | None:
        monkeypatch.setattr(module, "waiting", early.waiting)
        kept.append(train(shop, USE_CASE, ORDERS, day, now=morning(TODAY)))
        return None

    monkeypatch.setattr(module, "waiting", overtaken)
    found = train(shop, USE_CASE, ORDERS, day, now=morning(TODAY))
    assert found.playing.to_bytes() == kept[0].playing.to_bytes()
    assert found.waiting == kept[0].waiting > 0


def test_only_so_many_rows_teach_a_day_the_oldest_days_first(
    shop: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(shop, TODAY, early=False)
    day, now = FIRST + timedelta(days=TODAY), morning(TODAY)
    taken = []
    for most in (1, 400, 500):
        monkeypatch.setattr(early, "MOST_WAITING", most)
        batch = waiting(shop, USE_CASE, ORDERS, (AFTER, day), versions=[1], now=now)
        assert batch is not None
        taken.append(len(batch.rewards))
    assert taken == [200, 400, 400]


def test_nothing_is_said_early_without_a_curve_or_with_nothing_that_waits(shop: Stores) -> None:
    day, now = FIRST + timedelta(days=TODAY), morning(TODAY)

    def asked(
        metric: Metric = ORDERS, *, at: datetime = now, version: int = 1, after: date = AFTER
    ) -> object:
        return waiting(shop, USE_CASE, metric, (after, day), versions=[version], now=at)

    reward(shop, USE_CASE, ORDERS, now=morning(4))
    assert asked() is None
    reward(shop, USE_CASE, ORDERS, now=now)
    assert asked() is not None
    assert asked(replace(ORDERS, window_days=1)) is None
    assert asked(replace(ORDERS, name="other")) is None
    assert asked(version=2) is None
    # A clock that went back: of none of them anything can have come.
    assert asked(at=morning(2)) is None
    assert asked(after=day - timedelta(days=1)) is None


def test_a_policy_that_does_not_learn_early_goes_on_as_before(shop: Stores) -> None:
    reward(shop, USE_CASE, ORDERS, now=morning(TODAY))
    use_case = replace(USE_CASE, policy="uniform")
    day = FIRST + timedelta(days=TODAY)
    found = train(shop, use_case, ORDERS, day, now=morning(TODAY))
    assert (found.early, found.trained_through) == (None, FIRST + timedelta(days=2))
