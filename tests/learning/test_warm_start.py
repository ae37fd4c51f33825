"""What a use case begins with: rows of another log, or what another use case learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

import history
from opportune import pipeline, policies
from opportune.decisions import Feature, Option, UseCase
from opportune.events import Metric
from opportune.learning import (
    AlreadyLearned,
    BadShare,
    NotAlike,
    NothingLearned,
    NoWarmStart,
    Trained,
    WarmStart,
    lessons,
    newest,
    prune_models,
    train,
    warm_start,
    warm_start_from,
)
from opportune.policies import FactoredThompson
from opportune.simulate import World, make_world
from opportune.storage import Stores

ORDERS = Metric(
    name="orders", title="Orders", event="Order", property=None, unit="orders", window_days=2
)
SPRING = WarmStart(
    source="spring.csv",
    digest="12ab",
    meaning="cd",
    outcome="bought",
    rows=900,
    left_out=3,
    share=0.3,
)
USE_CASE = history.use_case()
BEGINNING, MATURED = history.FIRST_DAY, history.FIRST_DAY + timedelta(days=1)


def spring(seed: int = 1, use_case: UseCase = USE_CASE) -> list[policies.Batch]:
    """Three parts of a campaign that was played at random."""
    random = np.random.default_rng(seed)
    sizes = use_case.space.sizes
    return [
        policies.Batch(
            features=random.normal(size=(300, use_case.feature_count)),
            actions=np.stack([random.integers(0, size, 300) for size in sizes], axis=1).astype(
                np.int16
            ),
            rewards=(random.random(300) < 0.2).astype(np.float64),
            propensities=np.full(300, 1 / 12),
        )
        for _ in range(3)
    ]


def taught(seed: int = 1, *, share: float = 0.3) -> FactoredThompson:
    """What the library makes of that campaign."""
    policy = FactoredThompson.start(USE_CASE.space, features=4, reward="binary")
    for batch in spring(seed):
        policy = policy.update(batch)
    return policy.discounted(share)


def begin(stores: Stores, use_case: UseCase = USE_CASE, origin: WarmStart = SPRING) -> bool:
    return warm_start(stores, use_case, ORDERS, spring(), origin).kept


def body(trained: Trained | None) -> bytes:
    assert trained is not None
    return trained.policy.to_bytes()


def models(stores: Stores) -> list[tuple[int, date, str | None]]:
    rows = stores.state.rows(
        "select version, day, warm_start ->> 'source' as source from model order by 1, 2"
    )
    return [(row["version"], row["day"], row["source"]) for row in rows]


@pytest.fixture(autouse=True)
def tables(stores: Stores) -> None:
    pipeline.create_tables(stores)


@pytest.fixture
def past(stores: Stores) -> None:
    """A use case whose rewards of seven days are there."""
    history.write(stores, history.past(profiles=200))


def test_the_first_day_decides_with_what_was_taught_and_learning_goes_on_from_it(
    stores: Stores, past: None
) -> None:
    assert begin(stores)
    first = train(stores, USE_CASE, ORDERS, BEGINNING)
    assert (first.version, first.trained_through) == ("next_offer/1/2026-01-01", None)
    assert first.warm_start == SPRING
    assert body(first) == taught().to_bytes()
    second = train(stores, USE_CASE, ORDERS, MATURED)
    own = lessons(stores, USE_CASE, ORDERS, BEGINNING, versions=[1])
    assert body(second) == taught().update(own).to_bytes()
    assert (second.trained_through, second.warm_start) == (BEGINNING, SPRING)
    assert train(stores, USE_CASE, ORDERS, MATURED).warm_start == SPRING


def test_the_same_again_changes_nothing_and_another_takes_its_place(stores: Stores) -> None:
    assert begin(stores)
    before = stores.state.rows("select * from model")
    assert not begin(stores)
    assert stores.state.rows("select * from model") == before
    assert begin(stores, origin=replace(SPRING, share=0.5))
    assert begin(stores, origin=replace(SPRING, source="other.csv"))
    assert models(stores) == [(0, date.min, "other.csv")]
    assert body(newest(stores, USE_CASE, ORDERS, BEGINNING)) == taught().to_bytes()


def test_days_decided_without_a_reward_stay_and_the_next_one_goes_on_from_it(
    stores: Stores,
) -> None:
    nothing = body(train(stores, USE_CASE, ORDERS, BEGINNING))
    assert begin(stores)
    assert body(train(stores, USE_CASE, ORDERS, BEGINNING)) == nothing
    assert body(train(stores, USE_CASE, ORDERS, MATURED)) == taught().to_bytes()
    # Begun with something else before the first reward, the next day has that.
    assert begin(stores, origin=replace(SPRING, share=0.5))
    later = train(stores, USE_CASE, ORDERS, MATURED + timedelta(days=1))
    assert body(later) == taught(share=0.5).to_bytes()


def test_what_has_learned_cannot_begin_with_something_else(stores: Stores, past: None) -> None:
    begin(stores)
    train(stores, USE_CASE, ORDERS, MATURED)
    before = stores.state.rows("select * from model order by version")
    assert not begin(stores)
    with pytest.raises(
        AlreadyLearned, match=r"model is next_offer/1/2026-01-02, begun with spring"
    ):
        begin(stores, origin=replace(SPRING, digest="34"))
    assert stores.state.rows("select * from model order by version") == before


def test_what_began_with_nothing_and_learned_says_so(stores: Stores, past: None) -> None:
    train(stores, USE_CASE, ORDERS, MATURED)
    with pytest.raises(AlreadyLearned, match="begun with nothing"):
        begin(stores)
    assert [version for version, _, _ in models(stores)] == [1]


def test_rewards_learned_while_it_was_taught_are_not_thrown_away(
    stores: Stores, past: None
) -> None:
    def rows() -> list[policies.Batch]:
        train(stores, USE_CASE, ORDERS, MATURED)
        return spring()

    with pytest.raises(AlreadyLearned):
        warm_start(stores, USE_CASE, ORDERS, (batch for batch in rows()), SPRING)
    assert models(stores) == [(1, MATURED, None)]


def test_a_version_goes_on_from_it_over_other_options_but_not_with_other_settings(
    stores: Stores,
) -> None:
    begin(stores)
    offer, *others = USE_CASE.dimensions
    options = (*offer.options[1:], Option(name="gift", eligible=None))
    dimensions = (replace(offer, options=options), *others)
    newer = replace(USE_CASE, version=2, dimensions=dimensions)
    found = train(stores, newer, ORDERS, BEGINNING)
    assert body(found) == taught().moved(newer.space).to_bytes()
    assert found.warm_start == SPRING
    other = replace(newer, version=3, policy_settings={"draws": 8})
    assert train(stores, other, ORDERS, MATURED).warm_start is None


def test_pruning_leaves_it(stores: Stores) -> None:
    begin(stores)
    train(stores, USE_CASE, ORDERS, BEGINNING)
    prune_models(stores.state)
    assert [version for version, _, _ in models(stores)] == [0, 1]


@pytest.mark.parametrize("name", ["uniform", "epsilon_greedy"])
def test_a_policy_that_cannot_count_rows_for_less_is_refused(stores: Stores, name: str) -> None:
    with pytest.raises(NoWarmStart, match=f"Policy '{name}' .* such as factored_thompson"):
        begin(stores, replace(USE_CASE, policy=name))


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, float("nan")])
def test_a_share_is_above_nothing_and_at_most_everything(stores: Stores, share: float) -> None:
    with pytest.raises(BadShare, match="allowed is above 0 and at most 1"):
        begin(stores, origin=replace(SPRING, share=share))
    assert models(stores) == []


def test_another_use_case_hands_over_what_it_learned(stores: Stores, past: None) -> None:
    offer, *others = USE_CASE.dimensions
    mine = replace(
        USE_CASE,
        name="mine",
        dimensions=(
            replace(offer, options=(*offer.options[1:], Option(name="gift", eligible=None))),
            *others,
        ),
    )
    theirs = (USE_CASE, ORDERS)
    train(stores, USE_CASE, ORDERS, BEGINNING)
    with pytest.raises(NothingLearned, match="'next_offer' has learned nothing yet"):
        warm_start_from(stores, mine, ORDERS, theirs, 0.4)
    known = train(stores, USE_CASE, ORDERS, MATURED).policy
    found = warm_start_from(stores, mine, ORDERS, theirs, 0.4)
    assert (found.kept, found.warm_start.rows) == (True, None)
    assert found.warm_start.source == "use case next_offer/1/2026-01-02"
    assert not warm_start_from(stores, mine, ORDERS, theirs, 0.4).kept
    first = train(stores, mine, ORDERS, BEGINNING)
    assert isinstance(known, FactoredThompson)
    assert body(first) == known.moved(mine.space).discounted(0.4).to_bytes()
    assert first.warm_start == found.warm_start


def test_another_use_case_must_learn_in_the_same_way(stores: Stores) -> None:
    mine = replace(USE_CASE, name="mine", features=(Feature(trait="has_tv", one_of=()),))
    with pytest.raises(NotAlike, match=r"features .*tenure_months.* there, .* here\. Features"):
        warm_start_from(stores, mine, ORDERS, (USE_CASE, ORDERS), 0.2)
    longer, mine = replace(ORDERS, window_days=3), replace(USE_CASE, name="mine")
    with pytest.raises(NotAlike, match=r"reward .*2\] there, .*3\] here"):
        warm_start_from(stores, mine, longer, (USE_CASE, ORDERS), 0.2)


def in_world(world: World) -> UseCase:
    """A use case of the world's features and options."""
    dimensions = tuple(
        replace(
            USE_CASE.dimensions[0],
            name=each.name,
            options=tuple(Option(name=name, eligible=None) for name in each.options),
        )
        for each in world.space.dimensions
    )
    features = tuple(Feature(trait=f"x{place}", one_of=()) for place in range(12))
    return replace(USE_CASE, features=features, dimensions=dimensions)


@pytest.fixture
def captured(stores: Stores) -> Callable[..., float]:
    """The share of the achievable uplift that the first day captures, from exact expectations."""

    def of_first_day(world: World, use_case: UseCase) -> float:
        policy = train(stores, use_case, ORDERS, BEGINNING).policy
        day = world.day(40, 8_000)
        play = policy.distribution(day.features, day.eligible, seed=1)
        chosen = policies.draw(play, policies.uniforms("first", np.arange(8_000)))
        measure = world.yardstick(day)
        value = float(world.expected(day, chosen.actions).mean())
        return (value - measure.uniform) / (measure.oracle - measure.uniform)

    return of_first_day


def test_the_first_day_is_far_better_than_by_chance(
    stores: Stores, captured: Callable[..., float]
) -> None:
    world = make_world("static60", seed=1)
    use_case = in_world(world)
    batches = []
    for number in range(3):
        day = world.day(number, 13_000)
        play = policies.Uniform(world.space).distribution(day.features, day.eligible, seed=0)
        chosen = policies.draw(play, policies.uniforms(f"log {number}", np.arange(13_000)))
        batches.append(
            policies.Batch(
                features=day.features,
                actions=chosen.actions,
                rewards=world.rewards(day, chosen.actions),
                propensities=chosen.propensities,
            )
        )
    warm_start(stores, use_case, ORDERS, batches, replace(SPRING, share=0.5))
    assert captured(world, use_case) > 0.3
    cold = replace(use_case, name="cold")
    assert abs(captured(world, cold)) < 0.1
