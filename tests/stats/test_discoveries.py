"""Many comparisons judged together."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from opportune.stats import InvalidSample, discoveries


def test_the_published_example_finds_four() -> None:
    # Benjamini and Hochberg (1995), section 4: fifteen comparisons of thrombolytic treatments.
    published = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
        0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0,
    ]  # fmt: skip
    judged = discoveries({str(each): each for each in published[::-1]})
    assert [float(name) for name, each in judged.items() if each.found] == published[3::-1]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_p_values_are_those_of_scipy(chances: list[float]) -> None:
    judged = discoveries({str(index): each for index, each in enumerate(chances)}, false_share=0.1)
    expected = stats.false_discovery_control(chances)
    assert [each.adjusted for each in judged.values()] == pytest.approx(expected, rel=1e-12)
    assert [each.p_value for each in judged.values()] == chances
    assert all(each.found == (each.adjusted <= 0.1) for each in judged.values())


def test_few_discoveries_are_false_however_many_metrics_are_asked() -> None:
    # Ten of fifty metrics differ by three standard errors; 400 reports.
    random, shares = np.random.default_rng(11), []
    for _ in range(400):
        errors = random.normal(size=50) + np.r_[np.full(10, 3.0), np.zeros(40)]
        chances = {str(index): math.erfc(abs(z) / math.sqrt(2)) for index, z in enumerate(errors)}
        found = [int(name) for name, each in discoveries(chances).items() if each.found]
        shares.append(sum(name >= 10 for name in found) / max(1, len(found)))
    # Forty in fifty of 5 %, and three standard errors.
    assert np.mean(shares) == pytest.approx(0.04, abs=3 * np.std(shares) / 20)


def test_no_comparison_is_no_discovery() -> None:
    assert discoveries({}) == {}


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(InvalidSample, match=r"The p-value of 'orders' is 1.5. Allowed: from 0"):
        discoveries({"orders": 1.5})
    with pytest.raises(InvalidSample, match=r"false_share is 1\.0"):
        discoveries({"orders": 0.5}, false_share=1.0)
