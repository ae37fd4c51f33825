"""Counts of eligible actions, held against listing them all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opportune.policies import ActionSpace, Dimension, Eligibility

Problem = tuple[ActionSpace, Eligibility, np.random.Generator]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    space = ActionSpace(
        dimensions=tuple(
            Dimension(name=str(d), options=tuple(map(str, range(size))))
            for d, size in enumerate(sizes)
        )
    )
    numbers = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(0, 30))
    masks = np.stack([numbers.integers(1, 1 << size, count) for size in sizes], axis=1)
    if draw(st.booleans()):
        return space, Eligibility(options=masks), numbers
    patterns = numbers.random((3, space.combinations)) < draw(st.sampled_from([0.2, 0.9]))
    patterns[:, space.codes(lowest(masks))] = True
    eligible = Eligibility(
        options=masks, combinations=patterns, pattern=numbers.integers(0, 3, count)
    )
    return space, eligible, numbers


def lowest(masks: np.ndarray) -> np.ndarray:
    return np.asarray(np.bitwise_count((masks & -masks) - 1), dtype=np.int16)


def listed(space: ActionSpace, eligible: Eligibility, row: int) -> np.ndarray:
    actions = space.actions()
    alone = eligible.take(np.full(len(actions), row))
    return np.asarray(actions[alone.allows(space, actions)])


@given(problems())
@settings(deadline=None, max_examples=100)
def test_counts_are_those_of_the_listed_actions(problem: Problem) -> None:
    space, eligible, numbers = problem
    asked = space.actions()[numbers.integers(0, space.combinations, len(eligible))]
    counts, each = eligible.counts(space), eligible.option_counts(space, asked)
    assert counts.shape == (len(eligible),)
    for row in range(len(eligible)):
        actions = listed(space, eligible, row)
        assert counts[row] == len(actions)
        assert each[row].tolist() == (actions == asked[row]).sum(axis=0).tolist()


@given(problems())
@settings(deadline=None, max_examples=100)
def test_the_mean_is_that_of_the_listed_actions(problem: Problem) -> None:
    space, eligible, numbers = problem
    values = [numbers.integers(-9, 99, size) for size in space.sizes]
    found = eligible.mean(space, values)
    assert found.shape == (len(eligible),)
    for row in range(len(eligible)):
        actions = listed(space, eligible, row)
        worth = sum(each[actions[:, d]] for d, each in enumerate(values))
        assert found[row] == pytest.approx(np.mean(worth), rel=1e-12)


@given(problems())
@settings(deadline=None, max_examples=100)
def test_shares_go_through_the_listed_actions_in_order(problem: Problem) -> None:
    space, eligible, numbers = problem
    shares = numbers.random(len(eligible))
    shares[::3], shares[1::3] = 0.0, 1 - 2.0**-53
    found = eligible.at(space, shares)
    assert found.shape == (len(eligible), len(space.sizes))
    for row, share in enumerate(shares):
        actions = listed(space, eligible, row)
        assert found[row].tolist() == actions[int(share * len(actions))].tolist()


@given(problems())
@settings(deadline=None, max_examples=50)
def test_rows_of_equal_eligibility_are_each_told_once(problem: Problem) -> None:
    space, eligible, _ = problem
    told = list(eligible.alike(space))
    assert sorted(row for rows, _ in told for row in rows) == list(range(len(eligible)))
    for rows, allowed in told:
        for row in rows:
            actions = space.actions()[allowed]
            assert actions.tolist() == listed(space, eligible, row).tolist()
