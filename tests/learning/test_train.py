"""What a policy learns from, when, and that it is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from opportune import policies
from opportune.decisions import (
    DECISIONS,
    FEATURES,
    MOST_DAYS_AHEAD,
    Activation,
    Dimension,
    Feature,
    Option,
    UseCase,
)
from opportune.events import Metric
from opportune.learning import (
    REWARDS,
    Trained,
    action_indices,
    newest,
    of_version,
    prune_models,
    reward_kind,
    train,
)
from opportune.plugins import UnknownPlugin
from opportune.policies import FactoredThompson
from opportune.storage import Stores

DAY = date(2026, 3, 1)
OFFERS, CHANNELS = ("tv", "sim", "sms"), ("email", "sms")
ORDERS = Metric(
    name="orders", title="Orders", event="Order", property=None, unit="orders", window_days=2
)
REVENUE = replace(ORDERS, property="revenue")
USE_CASE = UseCase(
    name="next",
    version=1,
    title="Next",
    success_metric="orders",
    audience=(),
    minus=(),
    features=(Feature(trait="a", one_of=()), Feature(trait="b", one_of=())),
    dimensions=tuple(
        Dimension(
            name=name,
            meaning="choice",
            options=tuple(Option(name=each, eligible=None) for each in options),
        )
        for name, options in (("offer", OFFERS), ("channel", CHANNELS))
    ),
    control_share=0.2,
    policy="factored_thompson",
    decide_at=time(6),
    activation=Activation(connector="braze", config={}),
)
COUNT = 200
Write = Callable[..., None]
ALL_TABLES = ("features", "decisions", "rewards")


def day(number: int) -> date:
    return DAY + timedelta(days=number)


def lesson(number: int, amounts: float = 1.0) -> dict[str, np.ndarray[Any, Any]]:
    """What happened on a day, a row a profile; the second half is control and earns much more."""
    random = np.random.default_rng(number)
    control = np.arange(COUNT) >= COUNT // 2
    reward = np.floor(random.random(COUNT) * 3) * amounts
    return {
        "features": random.normal(size=(COUNT, 2)),
        "actions": np.stack([random.integers(0, 3, COUNT), random.integers(0, 2, COUNT)], axis=1),
        "rewards": np.where(control, 100.0, reward),
        "control": control,
    }


@pytest.fixture
def write(stores: Stores) -> Write:
    """Write a decided day with features, decisions and rewards, or some of them."""
    for name, schema in (("features", FEATURES), ("decisions", DECISIONS), ("rewards", REWARDS)):
        stores.lake.create(name, schema)

    def one_day(
        number: int,
        *,
        version: int = 1,
        tables: Sequence[str] = ALL_TABLES,
        use_case: str = "next",
        treated: tuple[str, str] = ("treatment", "p"),
    ) -> None:
        told = lesson(number)
        at = datetime.combine(day(number), time(6), tzinfo=UTC)
        rows = [
            {
                "decision_id": f"{use_case}:{number}:{place:03}",
                "use_case": use_case,
                "version": version,
                "day": day(number),
                "profile_id": place,
                "user_id": f"u{place}",
                "variant": "control" if told["control"][place] else treated[0],
                "action": [OFFERS[offer], CHANNELS[channel]],
                "propensity": 1 / 6,
                "dimension_propensities": [1 / 3, 1 / 2],
                "eligible": [7, 3],
                "policy_version": treated[1],
                "explored": False,
                "decided_at": at,
                "decided_at_us": 0,
                "values": told["features"][place].tolist(),
                "reward": told["rewards"][place],
                "matured_at": at,
            }
            for place, (offer, channel) in enumerate(told["actions"].tolist())
        ]
        for name in tables:
            schema = stores.lake.schema(name)
            stores.lake.append(name, pa.Table.from_pylist(rows, schema=schema))

    return one_day


def batch(number: int, *, binary: bool = True) -> policies.Batch:
    """What the policy should learn from a day: treated profiles only."""
    told = lesson(number)
    treated = ~told["control"]
    rewards = told["rewards"][treated]
    return policies.Batch(
        features=told["features"][treated],
        actions=told["actions"][treated].astype(np.int16),
        rewards=(rewards > 0).astype(np.float64) if binary else rewards,
        propensities=np.full(int(treated.sum()), 1 / 6),
    )


def taught(*numbers: int, reward: policies.RewardKind = "binary") -> policies.Policy:
    policy: policies.Policy = FactoredThompson.start(USE_CASE.space, features=2, reward=reward)
    for number in numbers:
        policy = policy.update(batch(number, binary=reward == "binary"))
    return policy


def bytes_of(trained: Trained) -> bytes:
    return trained.policy.to_bytes()


def models(stores: Stores) -> list[tuple[int, date, date | None]]:
    rows = stores.state.rows("select version, day, trained_through from model order by 1, 2")
    return [(row["version"], row["day"], row["trained_through"]) for row in rows]


def test_a_policy_that_has_seen_nothing_is_kept_too(stores: Stores, write: Write) -> None:
    found = train(stores, USE_CASE, ORDERS, DAY)
    assert (found.version, found.trained_through) == ("next/1/2026-03-01", None)
    assert bytes_of(found) == taught().to_bytes()
    assert models(stores) == [(1, DAY, None)]


def test_it_learns_every_matured_day_before_and_control_teaches_nothing(
    stores: Stores, write: Write
) -> None:
    for number in (0, 1, 2):
        write(number)
    write(3, tables=ALL_TABLES[:2])
    found = train(stores, USE_CASE, ORDERS, day(2))
    assert (found.version, found.trained_through) == ("next/1/2026-03-03", day(1))
    assert bytes_of(found) == taught(0, 1).to_bytes()
    assert np.max(lesson(0)["rewards"]) == 100.0


def test_days_are_learned_in_their_order_whichever_window_is_over_first(
    stores: Stores, write: Write
) -> None:
    write(0)
    # Of a day whose messages went out later the rewards come after those of the next.
    write(1, tables=ALL_TABLES[:2])
    write(2)
    before = train(stores, USE_CASE, ORDERS, day(3))
    assert (before.trained_through, bytes_of(before)) == (day(0), taught(0).to_bytes())
    write(1, tables=ALL_TABLES[2:])
    after = train(stores, USE_CASE, ORDERS, day(4))
    assert (after.trained_through, bytes_of(after)) == (day(2), taught(0, 1, 2).to_bytes())


def test_a_day_that_never_had_rewards_holds_up_nothing_for_ever(
    stores: Stores, write: Write
) -> None:
    write(0, tables=ALL_TABLES[:2])
    write(1)
    assert train(stores, USE_CASE, ORDERS, day(2)).trained_through is None
    found = train(stores, USE_CASE, ORDERS, day(2 + ORDERS.window_days + MOST_DAYS_AHEAD))
    assert (found.trained_through, bytes_of(found)) == (day(1), taught(1).to_bytes())


def test_a_count_becomes_whether_it_happened_and_an_amount_stays(
    stores: Stores, write: Write
) -> None:
    assert (reward_kind(ORDERS), reward_kind(REVENUE)) == ("binary", "amount")
    write(0)
    found = train(stores, USE_CASE, REVENUE, day(1))
    assert bytes_of(found) == taught(0, reward="amount").to_bytes()
    assert set(batch(0, binary=False).rewards.tolist()) == {0.0, 1.0, 2.0}


def test_each_day_is_learned_once_however_often_and_in_which_steps(
    stores: Stores, write: Write
) -> None:
    write(0)
    first = train(stores, USE_CASE, ORDERS, day(1))
    write(1)
    write(2)
    later = train(stores, USE_CASE, ORDERS, day(4))
    assert (first.trained_through, later.trained_through) == (day(0), day(2))
    assert bytes_of(later) == taught(0, 1, 2).to_bytes()
    assert models(stores) == [(1, day(1), day(0)), (1, day(4), day(2))]


def test_the_model_of_a_day_does_not_move(stores: Stores, write: Write) -> None:
    write(0)
    once = train(stores, USE_CASE, ORDERS, day(2))
    write(1)
    again = train(stores, USE_CASE, ORDERS, day(2))
    assert (again.version, again.trained_through) == (once.version, day(0))
    assert bytes_of(again) == bytes_of(once)
    kept = stores.state.rows("select body from model")
    assert [bytes(row["body"]) for row in kept] == [bytes_of(once)]


def test_models_of_long_ago_go_but_the_newest_of_each_version_stays(
    stores: Stores, write: Write
) -> None:
    for number in (0, 1, 2, 36, 37):
        train(stores, USE_CASE, ORDERS, day(number))
    train(stores, replace(USE_CASE, version=2), ORDERS, day(80))
    for _ in range(2):
        prune_models(stores.state)
        assert [(version, on) for version, on, _ in models(stores)] == [
            *((1, day(number)) for number in (2, 36, 37)),
            (2, day(80)),
        ]


def test_an_earlier_day_does_not_see_a_later_model(stores: Stores, write: Write) -> None:
    write(0)
    write(1)
    train(stores, USE_CASE, ORDERS, day(5))
    assert bytes_of(train(stores, USE_CASE, ORDERS, day(1))) == taught(0).to_bytes()


def with_offers(*names: str, version: int = 2) -> UseCase:
    offer, channel = USE_CASE.dimensions
    options = tuple(Option(name=each, eligible=None) for each in names)
    dimensions = (replace(offer, options=options), channel)
    return replace(USE_CASE, version=version, dimensions=dimensions)


@pytest.mark.parametrize(
    ("changed", "metric"),
    [
        ({"features": (Feature(trait="a", one_of=()), Feature(trait="c", one_of=()))}, ORDERS),
        ({}, replace(ORDERS, window_days=3)),
        ({}, replace(ORDERS, event="Lead")),
    ],
)
def test_a_version_that_means_something_else_starts_again_from_its_own_rows(
    stores: Stores, write: Write, changed: dict[str, Any], metric: Metric
) -> None:
    write(0)
    write(1)
    train(stores, USE_CASE, ORDERS, day(2))
    write(2, version=2)
    newer = train(stores, replace(USE_CASE, version=2, **changed), metric, day(3))
    assert (newer.version, newer.trained_through) == ("next/2/2026-03-04", day(2))
    assert bytes_of(newer) == taught(2).to_bytes()


def test_a_version_that_only_reads_otherwise_goes_on_with_all_rows(
    stores: Stores, write: Write
) -> None:
    write(0)
    write(1)
    train(stores, USE_CASE, ORDERS, day(2))
    write(2, version=2)
    write(3)
    newer = replace(USE_CASE, version=2, title="Next, better")
    found = train(stores, newer, ORDERS, day(4))
    assert (found.version, found.trained_through) == ("next/2/2026-03-05", day(3))
    assert bytes_of(found) == taught(0, 1, 2, 3).to_bytes()


def test_a_version_with_other_options_goes_on_and_rows_of_a_retired_one_teach_nothing(
    stores: Stores, write: Write
) -> None:
    write(0)
    before = train(stores, USE_CASE, ORDERS, day(1)).policy
    write(1)
    newer = with_offers("tv", "sms", "gift")
    found = train(stores, newer, ORDERS, day(2))
    assert found.trained_through == day(1)
    whole = batch(1)
    still = whole.actions[:, 0] != OFFERS.index("sim")
    assert 0 < still.sum() < len(still)
    place = np.array([0, -1, 1])  # of tv, sim, sms among the offers now
    rows = policies.Batch(
        features=whole.features[still],
        actions=np.stack([place[whole.actions[still, 0]], whole.actions[still, 1]], axis=1).astype(
            np.int16
        ),
        rewards=whole.rewards[still],
        propensities=whole.propensities[still],
    )
    assert isinstance(before, FactoredThompson)
    assert bytes_of(found) == before.moved(newer.space).update(rows).to_bytes()
    assert bytes_of(train(stores, newer, ORDERS, day(2))) == bytes_of(found)


def test_a_version_with_another_dimension_goes_on_without_the_older_rows(
    stores: Stores, write: Write
) -> None:
    write(0)
    before = train(stores, USE_CASE, ORDERS, day(1)).policy
    write(1)
    hour = Dimension(name="hour", meaning="hour", options=(Option(name="09", eligible=None),))
    newer = replace(USE_CASE, version=2, dimensions=(*USE_CASE.dimensions, hour))
    found = train(stores, newer, ORDERS, day(2))
    assert isinstance(before, FactoredThompson)
    assert bytes_of(found) == before.moved(newer.space).to_bytes()


def test_another_policy_learns_again_from_the_rows_of_both_versions(
    stores: Stores, write: Write
) -> None:
    write(0)
    train(stores, USE_CASE, ORDERS, day(1))
    write(1, version=2)
    newer = replace(USE_CASE, version=2, policy_settings={"draws": 8})
    found = train(stores, newer, ORDERS, day(2))
    policy: policies.Policy = FactoredThompson.start(
        USE_CASE.space, features=2, reward="binary", settings={"draws": 8}
    )
    assert bytes_of(found) == policy.update(batch(0)).update(batch(1)).to_bytes()


def test_a_change_taken_back_goes_on_from_the_version_before_it_with_the_rows_of_all(
    stores: Stores, write: Write
) -> None:
    write(0)
    train(stores, USE_CASE, ORDERS, day(1))
    write(1, version=2)
    train(stores, replace(USE_CASE, version=2, policy_settings={"draws": 8}), ORDERS, day(2))
    write(2, version=3)
    found = train(stores, replace(USE_CASE, version=3), ORDERS, day(3))
    assert bytes_of(found) == taught(0, 1, 2).to_bytes()


def test_a_model_that_was_kept_before_this_was_known_is_nobodys_to_go_on_from(
    stores: Stores, write: Write
) -> None:
    write(0)
    train(stores, USE_CASE, ORDERS, day(1))
    stores.state.rows("update model set lessons = null, learner = null")
    found = train(stores, replace(USE_CASE, version=2), ORDERS, day(2))
    assert bytes_of(found) == taught().to_bytes()


def test_a_snapshot_that_an_older_version_left_behind_teaches_nothing(
    stores: Stores, write: Write
) -> None:
    write(0, version=2)
    stale = stores.lake.read("features").to_pylist()
    rows = [row | {"version": 1, "values": [0.0]} for row in stale]
    stores.lake.append("features", pa.Table.from_pylist(rows, schema=FEATURES))
    found = train(stores, replace(USE_CASE, version=2), ORDERS, day(1))
    assert bytes_of(found) == taught(0).to_bytes()


def test_another_use_case_teaches_nothing(stores: Stores, write: Write) -> None:
    write(0, use_case="other")
    assert train(stores, USE_CASE, ORDERS, day(1)).trained_through is None


def test_a_crash_between_rewards_and_model_finds_its_way(stores: Stores, write: Write) -> None:
    write(0)
    train(stores, USE_CASE, ORDERS, day(1))
    write(1)
    # The process was killed here: rewards are written, the model of the day is not.
    write(2)
    assert bytes_of(train(stores, USE_CASE, ORDERS, day(3))) == taught(0, 1, 2).to_bytes()


@pytest.mark.parametrize("name", ["fixed", "uniform"])
def test_policies_that_do_not_learn_go_the_same_way(
    stores: Stores, write: Write, name: str
) -> None:
    write(0)
    first = train(stores, replace(USE_CASE, policy=name), ORDERS, day(1))
    again = train(stores, replace(USE_CASE, policy=name), ORDERS, day(2))
    assert first.policy == again.policy
    assert first.policy.name == name


def test_an_unknown_policy_is_named(stores: Stores, write: Write) -> None:
    with pytest.raises(UnknownPlugin, match="Did you mean 'uniform'"):
        train(stores, replace(USE_CASE, policy="unifrom"), ORDERS, DAY)
    assert models(stores) == []


def test_names_of_options_become_indices_of_their_own_dimension() -> None:
    column = pa.chunked_array([[["sms", "email"]], [["tv", "sms"], ["sms", "sms"]]])
    assert action_indices(USE_CASE, column).tolist() == [[2, 0], [0, 1], [2, 1]]
    empty = pa.chunked_array([], pa.list_(pa.string()))
    assert action_indices(USE_CASE, empty).shape == (0, 2)


def test_a_champion_has_its_own_memory_of_what_any_policy_decided(
    stores: Stores, write: Write
) -> None:
    write(0)
    train(stores, USE_CASE, ORDERS, day(1))
    newer = replace(
        USE_CASE,
        version=2,
        policy="uniform",
        champion_policy="factored_thompson",
        champion_share=0.1,
    )
    champion = newer.as_champion
    assert champion is not None
    write(1, version=2, treated=("champion", "next:champion/2/2026-03-02"))
    write(2, version=2, treated=("champion", "next/2/2026-03-03"))
    found = train(stores, champion, ORDERS, day(3))
    # It goes on from what version 1 had learned, and an action by its definition teaches nothing.
    assert (found.version, found.trained_through) == ("next:champion/2/2026-03-04", day(2))
    known = taught(0).update(batch(1)).update(batch(2).take(slice(0)))
    assert bytes_of(found) == known.to_bytes()
    assert bytes_of(train(stores, champion, ORDERS, day(3))) == known.to_bytes()
    treatment = train(stores, newer, ORDERS, day(3))
    assert (treatment.version, treatment.policy.name) == ("next/2/2026-03-04", "uniform")
    named = of_version(stores, champion, found.version)
    assert named is not None
    assert bytes_of(named) == bytes_of(found)


def test_a_champion_that_does_not_learn_stays_as_it_was_when_it_was_named(
    stores: Stores, write: Write
) -> None:
    write(0)
    train(stores, USE_CASE, ORDERS, day(1))
    newer = replace(
        USE_CASE,
        version=2,
        champion_policy=USE_CASE.policy,
        champion_share=0.1,
        champion_learns=False,
    )
    champion = newer.as_champion
    assert champion is not None
    before = newest(stores, champion, ORDERS, day(2))
    assert before is not None
    assert before.version == "next/1/2026-03-02"
    write(1, version=2)
    for number in (2, 3):
        found = train(stores, champion, ORDERS, day(number))
        assert (found.version, found.trained_through) == (
            f"next:champion/2/{day(number)}",
            day(0),
        )
        assert bytes_of(found) == taught(0).to_bytes()
    assert bytes_of(train(stores, newer, ORDERS, day(3))) == taught(0, 1).to_bytes()
