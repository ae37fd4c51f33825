"""The worlds keep their promises: seeds, rates, exact yardsticks, and what changes when."""

from __future__ import annotations

import numpy as np
import pytest

from opportune.simulate import FEATURES, WORLDS, BadWorld, Day, World, make_world

NAMES = sorted(WORLDS)
COMMON = [name for name in NAMES if name != "many"]


def random_actions(world: World, day: Day, seed: int) -> np.ndarray:
    """Uniform over the eligible combinations."""
    random = np.random.default_rng(seed)
    ticket = random.random((len(day.luck), world.space.combinations))
    allowed = np.ones(ticket.shape, dtype=bool)
    for d, choice in enumerate(world.space.actions().T.astype(np.int64)):
        allowed &= ((day.eligible.options[:, d, None] >> choice) & 1).astype(bool)
    return world.space.actions()[np.where(allowed, ticket, -1).argmax(axis=1)]


def single(world: World, combination: int, count: int) -> np.ndarray:
    return np.tile(world.space.actions()[combination], (count, 1))


@pytest.mark.parametrize("name", COMMON)
def test_a_world_follows_from_its_name_and_seed(name: str) -> None:
    worlds = [make_world(name, seed=seed) for seed in (3, 3, 4)]
    days = [world.day(12, 500) for world in worlds]
    actions = random_actions(worlds[0], days[0], 1)
    for look in (lambda w, d: d.features, lambda w, d: w.expected(d, actions)):
        one, again, other = (look(w, d) for w, d in zip(worlds, days, strict=True))
        assert np.array_equal(one, again)
        assert not np.array_equal(one, other)
    assert np.array_equal(worlds[0].rewards(days[0], actions), worlds[1].rewards(days[1], actions))
    assert not np.array_equal(days[0].luck, worlds[0].day(13, 500).luck)


@pytest.mark.parametrize("name", NAMES)
def test_fewer_customers_are_the_first_of_more(name: str) -> None:
    world = make_world(name, seed=1)
    few, many = world.day(2, 40), world.day(2, 90)
    assert np.array_equal(few.features, many.features[:40])
    assert np.array_equal(few.luck, many.luck[:40])
    assert np.array_equal(few.eligible.options, many.eligible.options[:40])
    assert many.features.shape == (90, len(FEATURES))
    assert np.isfinite(many.features).all()


@pytest.mark.parametrize("name", NAMES)
def test_uniform_play_converts_at_the_base_rate(name: str) -> None:
    world = make_world(name, seed=2)
    day = world.day(0, 8_000)
    found = world.chance(day, random_actions(world, day, 5)[:, : len(world.space.sizes)])
    # The chances spread about as wide as they are high: 0.012 is one standard error, relatively.
    assert found.mean() == pytest.approx(WORLDS[name].rate, rel=0.06)


@pytest.mark.parametrize("name", NAMES)
def test_yardsticks_are_the_expectations_of_what_they_name(name: str) -> None:
    world = make_world(name, seed=1)
    day = world.day(0, 300)
    measure = world.yardstick(day)
    best = world.best_actions(day)
    assert day.eligible.allows(world.space, best).all()
    assert world.expected(day, best).mean() == pytest.approx(measure.oracle, rel=1e-4)
    grid = world.space.actions()
    codes = range(0, len(grid), max(1, len(grid) // 60))
    values = np.array([world.expected(day, single(world, code, 300)) for code in codes])
    allowed = np.array(
        [day.eligible.allows(world.space, single(world, code, 300)) for code in codes]
    )
    assert (np.where(allowed, values, -9.0) <= world.expected(day, best) + 1e-6).all()
    if len(grid) == 60:
        typical = np.where(allowed, values, 0.0).sum(axis=0) / allowed.sum(axis=0)
        assert typical.mean() == pytest.approx(measure.uniform, rel=1e-4)
        everybody = np.where(allowed, values, typical).mean(axis=1)
        assert everybody == pytest.approx(measure.single, rel=1e-4)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "aa"])
def test_the_oracle_beats_the_best_combination_beats_uniform_play(name: str) -> None:
    world = make_world(name, seed=1)
    measure = world.yardstick(world.day(20, 1_000))
    assert measure.oracle > 1.05 * measure.single.max()
    assert measure.single.max() > 1.05 * measure.uniform


def test_where_nothing_matters_all_are_equal() -> None:
    world = make_world("aa", seed=1)
    measure = world.yardstick(world.day(0, 1_000))
    assert measure.oracle == pytest.approx(measure.uniform, rel=1e-6)
    assert measure.single == pytest.approx(np.full(60, measure.uniform), rel=1e-6)


@pytest.mark.parametrize("name", ["static60", "revenue", "costs"])
def test_rewards_come_as_often_and_as_large_as_expected(name: str) -> None:
    world = make_world(name, seed=1)
    earned, expected = [], []
    for index in range(10):
        day = world.day(index, 20_000)
        actions = random_actions(world, day, index)
        earned.append(world.net(actions, world.rewards(day, actions)))
        expected.append(world.expected(day, actions))
    gap = np.concatenate(earned) - np.concatenate(expected)
    # Five standard errors of 200,000 rows, which is 6 % of what is expected at most: a rate or a
    # size that is wrong by a tenth fails.
    error = gap.std() / np.sqrt(len(gap))
    assert abs(gap.mean()) < 5 * error
    assert 5 * error < 0.1 * abs(np.concatenate(expected).mean())


def test_every_action_meets_the_same_luck() -> None:
    world = make_world("static60", seed=1)
    day = world.day(3, 4_000)
    low, high = np.sort([world.chance(day, single(world, code, 4_000)) for code in (7, 31)], axis=0)
    rewards = [world.rewards(day, single(world, code, 4_000)) for code in (7, 31)]
    assert (np.minimum(*rewards) == (day.luck < low)).all()
    assert (np.maximum(*rewards) == (day.luck < high)).all()


def test_after_the_flip_what_was_good_is_not() -> None:
    world = make_world("flip", seed=1)
    early, late = (world.yardstick(world.day(index, 4_000)) for index in (14, 15))
    before = world.yardstick(world.day(0, 4_000))
    assert np.corrcoef(before.single, early.single)[0, 1] > 0.99
    assert np.corrcoef(early.single, late.single)[0, 1] < 0.8
    day = world.day(15, 4_000)
    stale = world.best_actions(Day(**{**_fields(day), "index": 14}))
    assert world.expected(day, stale).mean() < 0.9 * late.oracle


def _fields(day: Day) -> dict[str, object]:
    return {name: getattr(day, name) for name in Day.__dataclass_fields__}


def test_the_new_option_is_for_nobody_before_day_ten_and_then_for_many() -> None:
    chosen = []
    for seed in range(1, 5):
        world = make_world("new_option", seed=seed)
        last = world.space.sizes[0] - 1
        days = [world.day(index, 2_000) for index in (9, 10)]
        open_ = [(day.eligible.options[:, 0] >> last & 1).mean() for day in days]
        assert open_ == [0.0, 1.0]
        before, after = (world.yardstick(day).oracle for day in days)
        assert after > before
        chosen.append((world.best_actions(days[1])[:, 0] == last).mean())
    # A quarter is what any of four options gets; the best main effect makes it more.
    assert np.mean(chosen) > 0.35


def test_three_in_ten_may_not_get_the_option() -> None:
    world = make_world("ineligible", seed=1)
    barred = [(world.day(index, 20_000).eligible.options[:, 0] & 1 == 0) for index in (0, 29)]
    assert [each.mean() for each in barred] == pytest.approx([0.3, 0.3], abs=0.013)
    assert not np.array_equal(*barred)


def test_delayed_rewards_come_one_after_the_other_and_all_by_the_seventh_day() -> None:
    world = make_world("delays", seed=1)
    day = world.day(0, 20_000)
    actions = single(world, 5, 20_000)
    by_age = np.array([world.rewards(day, actions, age_days=age) for age in range(8)])
    assert (np.diff(by_age, axis=0) >= 0).all()
    assert by_age[0].sum() == 0
    assert np.array_equal(by_age[7], world.rewards(day, actions))
    # 1 - exp(-1) of all but the few beyond a week; about 600 rewards, so 0.08 is four errors.
    share = by_age[2].sum() / by_age[7].sum()
    assert share == pytest.approx((1 - np.exp(-1)) / (1 - np.exp(-3.5)), abs=0.08)


def test_dearer_incentives_work_better_and_cost_more() -> None:
    world = make_world("costs", seed=1)
    assert world.costs is not None
    assert (np.diff(world.costs.rewarded[0]) > 0).all()
    day = world.day(0, 4_000)
    cheap, dear = single(world, 0, 4_000), single(world, 45, 4_000)
    assert world.chance(day, dear).mean() > world.chance(day, cheap).mean()
    price = world.costs.rewarded[0][3] + world.costs.sent[1][0]
    ones = np.ones(4_000)
    paid = world.net(dear, ones) - 1.0 + price
    assert np.abs(paid).max() < 1e-12


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: make_world("static6", seed=1), "Did you mean 'static60'"),
        (lambda: make_world("static60", seed=-1), "allowed are whole numbers from 0 up"),
        (lambda: make_world("static60", seed=1).day(0, 0), "give a day from 0 and 1 or more"),
    ],
)
def test_what_cannot_be_a_world_is_refused(act: object, message: str) -> None:
    with pytest.raises(BadWorld, match=message):
        act()  # type: ignore[operator]
