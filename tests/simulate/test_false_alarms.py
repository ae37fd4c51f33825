"""Use cases without any effect: few of them ever show one; what tells nothing is refused."""

from __future__ import annotations

import pytest

from opportune.simulate import BadTrial, Trial, false_alarms
from opportune.simulate.false_alarms import _wilson


def test_few_use_cases_ever_show_what_is_not_there() -> None:
    found = false_alarms(Trial(days=20), use_cases=150, seed=1)
    assert (found.use_cases, found.alarms <= 7, found.last_day <= found.alarms) == (150, True, True)
    assert found.low <= found.share <= found.high
    assert false_alarms(Trial(days=20), use_cases=150, seed=1) == found


def test_the_interval_is_that_of_wilson() -> None:
    # 10 of 100, as in the literature: 0.0552 to 0.1744.
    low, high = _wilson(10, 100)
    assert (round(low, 4), round(high, 4)) == (0.0552, 0.1744)
    assert (_wilson(0, 100)[0], _wilson(100, 100)[1]) == (0.0, 1.0)


def test_a_trial_without_a_group_is_refused() -> None:
    with pytest.raises(BadTrial, match="at least one person of each group"):
        Trial(people_a_day=3, control_share=0.1)
