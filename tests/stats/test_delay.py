"""How long rewards take: counts that add, shares between them, and a band that holds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from opportune.stats import (
    Arrived,
    Delays,
    InvalidSample,
    arrived_by,
    arrived_shares,
    hours_until,
)


def test_delays_add_and_windows_of_other_lengths_do_not() -> None:
    both = Delays(counts=(1, 2)) + Delays(counts=(3, 0))
    assert both == Delays(counts=(4, 2))
    assert (both.rewarded, both.hours) == (6, 2)
    with pytest.raises(InvalidSample, match="over 1 and 2 hours"):
        Delays(counts=(1,)) + both


@pytest.mark.parametrize("counts", [(), (1, -1)])
def test_counts_that_cannot_be_are_refused(counts: tuple[int, ...]) -> None:
    with pytest.raises(InvalidSample, match="counts from 0"):
        Delays(counts=counts)


def test_the_share_grows_within_an_hour_and_is_whole_at_the_end() -> None:
    delays = Delays(counts=(0, 100, 0, 100))
    ages = np.array([-1.0, 0.5, 1.25, 2.0, 2.9, 3.5, 4.0, 400.0])
    assert arrived_shares(delays, ages).tolist() == [0, 0, 0.125, 0.5, 0.5, 0.75, 1, 1]


def test_of_too_few_rewards_nothing_is_said_before_the_window_is_over() -> None:
    few = Delays(counts=(99, 0, 0))
    assert arrived_shares(few, np.array([2.9, 3.0])).tolist() == [0.0, 1.0]
    assert arrived_by(few, [1, 2]) == ()
    assert hours_until(few, 0.5) is None
    assert hours_until(few + Delays(counts=(1, 0, 0)), 0.5) == 1


def test_the_band_is_massarts_and_nothing_is_open_at_the_end() -> None:
    wide = math.sqrt(math.log(40) / 800)
    assert arrived_by(Delays(counts=(20, 360, 20)), [1, 2, 3]) == (
        Arrived(age_hours=1, share=0.05, low=0.0, high=0.05 + wide),
        Arrived(age_hours=2, share=0.95, low=0.95 - wide, high=1.0),
        Arrived(age_hours=3, share=1.0, low=1.0, high=1.0),
    )


def test_the_band_covers_the_whole_truth_in_19_of_20_samples() -> None:
    random = np.random.default_rng(5)
    hours = np.arange(1, 49)
    truth = -np.expm1(-hours / 12.0) / -np.expm1(-4.0)
    covered = 0
    for _ in range(400):
        delays = -12.0 * np.log1p(-random.random(500) * -np.expm1(-4.0))
        counts = np.bincount(delays.astype(int), minlength=48)
        found = arrived_by(Delays(counts=tuple(counts.tolist())), hours.tolist())
        covered += all(
            each.low <= share <= each.high for each, share in zip(found, truth, strict=True)
        )
    assert covered >= 0.95 * 400


def test_the_first_hour_with_so_many_rewards_is_named() -> None:
    delays = Delays(counts=(50, 40, 0, 10))
    assert [hours_until(delays, share) for share in (0.5, 0.51, 0.9, 1.0)] == [1, 2, 2, 4]
    for share in (0.0, 1.1):
        with pytest.raises(InvalidSample, match="up to 1"):
            hours_until(delays, share)
