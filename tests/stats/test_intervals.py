"""Intervals around a mean, at one look and at any look."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from opportune.stats import (
    InvalidSample,
    Method,
    Moments,
    chance_beyond,
    half_width,
    mean_interval,
    moments,
)


def test_a_fixed_interval_is_the_normal_one_of_scipy() -> None:
    values = np.random.default_rng(2).exponential(size=500)
    found = mean_interval(moments(values), confidence=0.9, method="fixed")
    low, high = stats.norm.interval(0.9, loc=values.mean(), scale=stats.sem(values))
    assert found.value == pytest.approx(values.mean(), rel=1e-12)
    assert (found.low, found.high) == (
        pytest.approx(low, rel=1e-12),
        pytest.approx(high, rel=1e-12),
    )
    assert (found.count, found.confidence, found.method, found.reason) == (500, 0.9, "fixed", "")


def test_a_chance_is_the_interval_turned_round() -> None:
    sample = moments(np.random.default_rng(2).exponential(size=500))
    found = mean_interval(sample, confidence=0.9, method="fixed")
    assert found.low is not None
    assert chance_beyond(sample, found.low) == pytest.approx(0.1, rel=1e-9)
    assert chance_beyond(sample, sample.mean) == 1.0
    for unknown in (Moments(count=1, mean=1.0, m2=0.0), Moments(count=9, mean=1.0, m2=0.0)):
        assert chance_beyond(unknown, 5.0) == 1.0


def test_an_any_look_interval_ends_where_its_mixture_martingale_reaches_the_limit() -> None:
    # The likelihood ratio mixed over N(0, rho^2) passes 1 / alpha at the boundary (Ville).
    n, alpha, tightest_at = 50, 0.05, 30
    rho = math.sqrt((-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / tightest_at)
    width = half_width(1 / n, count=n, confidence=0.95, method="any_look", tightest_at=tightest_at)
    total = n * width

    def mixed(shift: float) -> float:
        return math.exp(shift * total - shift * shift * n / 2) * stats.norm.pdf(shift, scale=rho)

    ratio, _ = integrate.quad(mixed, -5, 5, points=[total / n], limit=200)
    assert ratio == pytest.approx(1 / alpha, rel=1e-8)


@pytest.mark.parametrize(("days", "times"), [(3, 1.93), (14, 1.57), (28, 1.55)])
def test_an_any_look_interval_is_known_times_as_wide_as_a_fixed_one(
    days: int, times: float
) -> None:
    any_look, fixed = (
        half_width(1.0, count=2000 * days, confidence=0.95, method=method, tightest_at=56_000)
        for method in ("any_look", "fixed")
    )
    assert round(any_look / fixed, 2) == times


@pytest.mark.parametrize(
    ("of", "successes", "low", "high"),
    [
        ((18_000, 2_000), (648, 60), -0.006693926609729313, 0.01869392660972931),
        ((108_000, 12_000), (3_888, 360), 0.00042793335002222314, 0.011572066649977774),
        ((5_400, 600), (200, 12), -0.001992789412679632, 0.0360668634867537),
    ],
)
def test_an_any_look_interval_of_a_difference_is_that_of_another_library(
    of: tuple[int, int], successes: tuple[int, int], low: float, high: float
) -> None:
    # By SequentialTwoSidedTTest of gbstats 0.8.0 with its tuning parameter of 5,000; it divides by
    # the count and not by one less.
    rates = [each / count for each, count in zip(successes, of, strict=True)]
    variance = sum(p * (1 - p) / count for p, count in zip(rates, of, strict=True))
    width = half_width(
        variance, count=sum(of), confidence=0.95, method="any_look", tightest_at=5000
    )
    assert rates[0] - rates[1] - width == pytest.approx(low, rel=1e-9)
    assert rates[0] - rates[1] + width == pytest.approx(high, rel=1e-9)


def test_an_any_look_interval_is_narrowest_at_the_chosen_count() -> None:
    widths = [
        half_width(1.0, count=count, confidence=0.95, method="any_look", tightest_at=1000)
        for count in (250, 500, 1000, 2000, 4000)
    ]
    assert min(widths) == widths[2]


@pytest.mark.parametrize("method", ["any_look", "fixed"])
@pytest.mark.parametrize(
    ("sample", "value", "reason"),
    [
        (Moments(count=0, mean=0.0, m2=0.0), None, "at least 2 units; there are 0"),
        (Moments(count=1, mean=4.0, m2=0.0), 4.0, "at least 2 units; there are 1"),
        (Moments(count=9, mean=4.0, m2=0.0), 4.0, "All 9 units have the same value"),
    ],
)
def test_thin_or_flat_evidence_has_no_bounds_and_says_why(
    sample: Moments, value: float | None, reason: str, method: Method
) -> None:
    found = mean_interval(sample, method=method)
    assert (found.value, found.low, found.high) == (value, None, None)
    assert reason in found.reason


def test_even_the_highest_confidence_is_bounded() -> None:
    width = half_width(1.0, count=9, confidence=math.nextafter(1, 0), method="fixed")
    assert width == pytest.approx(stats.norm.isf(2**-54), rel=1e-9)


@pytest.mark.parametrize(
    ("confidence", "method", "tightest_at", "message"),
    [
        (0.0, "fixed", 10, "confidence is 0.0. Allowed: above 0 and below 1"),
        (95.0, "fixed", 10, "confidence is 95.0. Allowed: above 0 and below 1"),
        (0.95, "fixt", 10, "Unknown method 'fixt'. Did you mean 'fixed'?"),
        (0.95, "any_look", 0, "tightest_at is 0. Allowed: a number of units from 1"),
    ],
)
def test_options_that_cannot_be_are_refused(
    confidence: float, method: Method, tightest_at: int, message: str
) -> None:
    with pytest.raises(InvalidSample, match=message.replace("?", r"\?")):
        half_width(1.0, count=9, confidence=confidence, method=method, tightest_at=tightest_at)
