"""Planned looks: published boundaries, and what they find."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from opportune.stats import InvalidSample, Spending, crossed, group_sequential


def evenly(looks: int) -> list[float]:
    return [look / looks for look in range(1, looks + 1)]


@pytest.mark.parametrize(
    ("looks", "chance"), [(1, 0.05), (2, 0.083), (5, 0.142), (10, 0.193), (20, 0.248), (50, 0.320)]
)
def test_looking_again_and_again_is_as_wrong_as_published(looks: int, chance: float) -> None:
    # Armitage, McPherson and Rowe (1969), table 2, at 1.96 standard errors.
    found = crossed(evenly(looks), [1.96] * looks, drift=0.0)
    assert len(found) == looks
    assert found[-1] == pytest.approx(chance, abs=0.0006)


@pytest.mark.parametrize(
    ("looks", "pocock", "obrien_fleming"),
    [(2, 2.178, 1.977), (3, 2.289, 2.004), (4, 2.361, 2.024), (5, 2.413, 2.040)],
)
def test_the_classical_constants_are_wrong_in_a_twentieth(
    looks: int, pocock: float, obrien_fleming: float
) -> None:
    # Jennison and Turnbull (2000), tables 2.1 and 2.3.
    evenly_spent = crossed(evenly(looks), [pocock] * looks, drift=0.0)
    late = crossed(
        evenly(looks), [obrien_fleming / math.sqrt(each) for each in evenly(looks)], drift=0.0
    )
    assert evenly_spent[-1] == pytest.approx(0.05, abs=0.0001)
    assert late[-1] == pytest.approx(0.05, abs=0.0001)


@pytest.mark.parametrize(
    ("constant", "shape", "inflation"), [(2.413, 0.0, 1.207), (2.040, 0.5, 1.026)]
)
def test_power_is_that_of_the_published_sample_sizes(
    constant: float, shape: float, inflation: float
) -> None:
    # The same book, tables 2.2 and 2.4: five looks, power 0.9, beside the fixed sample size.
    drift = (stats.norm.isf(0.025) + stats.norm.isf(0.1)) * math.sqrt(inflation)
    boundaries = [constant * each**-shape for each in evenly(5)]
    assert crossed(evenly(5), boundaries, drift=drift)[-1] == pytest.approx(0.9, abs=0.0005)


@pytest.mark.parametrize(
    ("spending", "boundaries"),
    [
        ("obrien_fleming", [2.9626, 1.9686]),
        ("obrien_fleming", [3.7103, 2.5114, 1.9930]),
        ("obrien_fleming", [4.3326, 2.9631, 2.3590, 2.0141]),
        ("obrien_fleming", [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]),
        ("pocock", [2.1570, 2.2010]),
        ("pocock", [2.4380, 2.4268, 2.4101, 2.3966, 2.3859]),
    ],
)
def test_boundaries_are_those_published_for_these_spending_functions(
    spending: Spending, boundaries: list[float]
) -> None:
    # The program of Reboussin, DeMets, Kim and Lan (2000) prints these four digits.
    plan = group_sequential(len(boundaries), spending=spending)
    assert plan.boundaries == pytest.approx(boundaries, abs=0.0002)
    assert plan.spent[-1] == pytest.approx(0.05)
    assert crossed(plan.fractions, plan.boundaries, drift=0.0) == pytest.approx(plan.spent)


def test_one_look_is_the_fixed_test() -> None:
    plan = group_sequential(1, confidence=0.9)
    assert plan.boundaries == pytest.approx([stats.norm.isf(0.05)])
    power = crossed([1.0], plan.boundaries, drift=2.0)[0]
    assert power == pytest.approx(
        stats.norm.sf(plan.boundaries[0] - 2) + stats.norm.cdf(-2 - plan.boundaries[0])
    )


def test_sixty_uneven_looks_find_as_often_as_simulated_walks() -> None:
    random = np.random.default_rng(12)
    fractions = np.unique(np.r_[np.linspace(0.02, 1, 40), np.linspace(0.51, 0.99, 20)])
    plan = group_sequential(fractions.tolist())
    steps = random.normal(size=(40_000, fractions.size)) * np.sqrt(np.diff(fractions, prepend=0.0))
    walks = steps.cumsum(axis=1)
    for drift in (0.0, 2.5, -3.0):
        errors = np.abs(walks + drift * fractions) / np.sqrt(fractions)
        hits = np.maximum.accumulate(errors > plan.boundaries, axis=1).mean(axis=0)
        found = crossed(plan.fractions, plan.boundaries, drift=drift)
        # Four standard errors of 40,000 walks.
        assert np.abs(hits - found).max() < 0.01
    assert plan.boundaries[0] == pytest.approx(8.0)


def test_an_effect_that_cannot_be_missed_is_found_at_once() -> None:
    assert crossed(evenly(3), [2.0, 2.0, 2.0], drift=1000.0) == pytest.approx((1.0, 1.0, 1.0))


@pytest.mark.parametrize(
    ("looks", "message"),
    [
        (0, r"Looks are planned at \[\]\. Allowed: 1 to 400"),
        (401, "and so on. Allowed: 1 to 400"),
        ([0.5, 0.4, 1.0], "rising fractions"),
        ([0.5, 0.5001, 1.0], r"at least 0\.001 apart"),
        ([0.5, 0.9], "the last one 1"),
    ],
)
def test_looks_that_cannot_be_are_refused(looks: int | Sequence[float], message: str) -> None:
    with pytest.raises(InvalidSample, match=message):
        group_sequential(looks)


def test_options_that_cannot_be_are_refused() -> None:
    with pytest.raises(InvalidSample, match=r"confidence is 1\. Allowed"):
        group_sequential(2, confidence=1)
    with pytest.raises(InvalidSample, match="Did you mean 'pocock'"):
        group_sequential(2, spending="pokock")  # type: ignore[arg-type]
