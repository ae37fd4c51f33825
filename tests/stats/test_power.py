"""When an effect will be found, beside published formulas and simulated use cases."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from opportune.stats import (
    InvalidSample,
    Outlook,
    Reading,
    ReadOut,
    boundary,
    chance_to_find,
    days_to_find,
    smallest_effect,
    tightest_for,
)

SHOP = Outlook.of_rate(0.03, control_share=0.1, units_a_day=2000)
READINGS: tuple[Reading, ...] = ("any_look", "fixed", "group_sequential")


def test_the_fixed_test_wants_the_sample_of_the_formula_for_two_proportions() -> None:
    # 25 % against 40 % in even groups, each with its own variance; power 0.9 at 5 %.
    even = Outlook.of_rate(0.25, control_share=0.5, units_a_day=2)
    wait = days_to_find(even, 0.6, read_out=ReadOut(method="fixed"), power=0.9)
    z = stats.norm.isf(0.025) + stats.norm.isf(0.1)
    formula = math.ceil(z * z * (0.25 * 0.75 + 0.4 * 0.6) / 0.15**2)
    assert formula == 200
    assert (wait.days, wait.units, wait.typical_days, wait.reason) == (200, 400, 200, "")


@settings(max_examples=30, deadline=None)
@given(st.floats(0.05, 0.5), st.integers(1, 200), st.sampled_from(READINGS), st.booleans())
def test_power_is_between_that_of_the_last_look_and_that_of_the_fixed_test(
    effect: float, days: int, method: Reading, fall: bool
) -> None:
    effect = -effect if fall else effect
    found = chance_to_find(SHOP, effect, days=days, read_out=ReadOut(method=method))
    errors = abs(SHOP.errors(effect, units=2000 * days))
    assert found <= 1
    if method == "any_look":
        last = boundary(2000 * days, confidence=0.95, method="any_look")
        assert found >= stats.norm.sf(last - errors) - 1e-9
    if method != "any_look":
        fixed = stats.norm.sf(1.959964 - errors) + stats.norm.sf(1.959964 + errors)
        assert found <= fixed + 1e-6
        assert found >= fixed - 0.03


def test_daily_looks_find_as_often_as_simulated_use_cases() -> None:
    # 10,000 use cases whose counts are as good as normal; three standard errors are 0.015.
    random, days, looks = np.random.default_rng(13), 40, np.arange(1, 41)
    treated = random.binomial(1800, 0.318, size=(10_000, days)).cumsum(axis=1) / (1800 * looks)
    left = random.binomial(200, 0.3, size=(10_000, days)).cumsum(axis=1) / (200 * looks)
    spread = treated * (1 - treated) / (1800 * looks) + left * (1 - left) / (200 * looks)
    bounds = [
        boundary(2000 * look, confidence=0.95, method="any_look", tightest_at=40_000)
        for look in looks.tolist()
    ]
    beyond = np.abs(treated - left) / np.sqrt(spread) > bounds
    hits = np.maximum.accumulate(beyond, axis=1).mean(axis=0)
    outlook = Outlook.of_rate(0.3, control_share=0.1, units_a_day=2000)
    read_out = ReadOut(method="any_look", tightest_at=40_000)
    for day in (20, 40):
        found = chance_to_find(outlook, 0.06, days=day, read_out=read_out)
        assert found == pytest.approx(hits[day - 1], abs=0.015)


@pytest.mark.parametrize("method", READINGS)
def test_the_day_is_the_first_with_enough_power(method: Reading) -> None:
    read_out = ReadOut(method=method)
    wait = days_to_find(SHOP, 0.25, read_out=read_out, power=0.8)
    assert wait.days is not None
    assert wait.typical_days is not None
    assert chance_to_find(SHOP, 0.25, days=wait.days, read_out=read_out) >= 0.8
    assert chance_to_find(SHOP, 0.25, days=wait.days - 1, read_out=read_out) < 0.8
    assert wait.units == 2000 * wait.days
    assert (wait.typical_days < wait.days) == (method != "fixed")


def test_planned_looks_take_little_longer_than_one_and_are_found_sooner() -> None:
    any_look, fixed, planned = (
        days_to_find(SHOP, 0.2, read_out=ReadOut(method=method)) for method in READINGS
    )
    assert (fixed.days, planned.days, any_look.days) == (36, 38, 65)
    assert (fixed.typical_days, planned.typical_days, any_look.typical_days) == (36, 31, 37)


def test_the_smallest_effect_is_the_one_that_takes_so_long() -> None:
    for method in READINGS:
        read_out = ReadOut(method=method)
        effect = smallest_effect(SHOP, days=60, read_out=read_out)
        assert effect is not None
        assert chance_to_find(SHOP, effect, days=60, read_out=read_out) == pytest.approx(
            0.8, abs=0.01
        )


def test_a_covariate_shortens_the_wait_by_what_it_explains() -> None:
    read_out = ReadOut(method="fixed")
    plain = days_to_find(SHOP, 0.05, read_out=read_out).days
    adjusted = days_to_find(replace(SHOP, explained_share=0.5), 0.05, read_out=read_out).days
    assert plain is not None
    assert adjusted == pytest.approx(plain / 2, abs=1)


def test_amounts_that_rise_by_more_buyers_have_the_variance_of_more_buyers() -> None:
    # A tenth buys for 20: the same as a rate of a tenth, in another unit.
    amounts = Outlook(
        mean=2.0, variance=36.0, rewarded_share=0.1, control_share=0.2, units_a_day=50, waiting=9
    )
    rate = Outlook.of_rate(0.1, control_share=0.2, units_a_day=50, waiting=9)
    assert amounts.errors(0.3, units=700) == pytest.approx(rate.errors(0.3, units=700))
    assert amounts.units(2) == rate.units(2) == 109


def test_an_audience_that_does_not_grow_is_looked_at_once() -> None:
    still = Outlook.of_rate(0.3, control_share=0.5, units_a_day=0, waiting=10_000)
    read_out = ReadOut(method="any_look")
    once = chance_to_find(still, 0.1, days=1, read_out=read_out)
    assert chance_to_find(still, 0.1, days=90, read_out=read_out) == once
    assert days_to_find(still, 0.2, read_out=read_out).days == 1


@pytest.mark.parametrize("method", READINGS)
def test_looks_at_an_audience_that_hardly_grows_are_thinned(method: Reading) -> None:
    slow = Outlook.of_rate(0.3, control_share=0.5, units_a_day=10, waiting=10_000)
    read_out = ReadOut(method=method)
    found = chance_to_find(slow, 0.08, days=90, read_out=read_out)
    at_once = chance_to_find(slow, 0.08, days=1, read_out=read_out)
    assert 0 <= found - at_once < 0.12


def test_what_is_never_found_says_so() -> None:
    nobody = Outlook.of_rate(0.03, control_share=0.0, units_a_day=2000)
    read_out = ReadOut(method="any_look")
    assert chance_to_find(nobody, 0.2, days=9, read_out=read_out) == 0.0
    wait = days_to_find(nobody, 0.2, read_out=read_out, most_days=50)
    assert (wait.days, wait.units, wait.typical_days) == (None, None, None)
    assert wait.reason == "It is not found within 50 days."
    assert smallest_effect(nobody, days=50, read_out=read_out) is None
    nothing = Outlook.of_rate(0.0, control_share=0.1, units_a_day=2000)
    assert smallest_effect(nothing, days=50, read_out=read_out) is None
    assert chance_to_find(nothing, 0.2, days=9, read_out=read_out) == 0.0


def test_the_tightest_count_follows_from_the_plan() -> None:
    assert tightest_for(SHOP, days=60) == 60_000
    assert tightest_for(Outlook.of_rate(0.1, control_share=0.1, units_a_day=0), days=9) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": -1.0}, "mean is -1.0. Allowed: a number from 0"),
        ({"variance": math.nan}, "variance is nan. Allowed"),
        ({"control_share": 1.5}, "control_share is 1.5. Allowed: from 0 to 1"),
        ({"explained_share": -0.5}, "explained_share is -0.5. Allowed: from 0 to 1"),
    ],
)
def test_an_outlook_that_cannot_be_is_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidSample) as refused:
        replace(SHOP, **change)  # type: ignore[arg-type]
    assert message in refused.value.message


def test_questions_that_cannot_be_are_refused() -> None:
    read_out = ReadOut(method="fixed")
    for effect in (0.0, -1.0, math.nan, 40.0):
        with pytest.raises(InvalidSample, match=f"An effect of {effect} on a mean of 0.03 cannot"):
            chance_to_find(SHOP, effect, days=1, read_out=read_out)
    with pytest.raises(InvalidSample, match="days is 0"):
        chance_to_find(SHOP, 0.1, days=0, read_out=read_out)
    with pytest.raises(InvalidSample, match="power is 1"):
        days_to_find(SHOP, 0.1, read_out=read_out, power=1)
    with pytest.raises(InvalidSample, match="rate is 3"):
        Outlook.of_rate(3, control_share=0.1, units_a_day=1)
    with pytest.raises(InvalidSample, match="looks is 0"):
        ReadOut(method="group_sequential", looks=0)
    with pytest.raises(InvalidSample, match="Unknown method 'fixt'"):
        ReadOut(method="fixt")  # type: ignore[arg-type]
