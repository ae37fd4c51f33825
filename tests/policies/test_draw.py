from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from opportune.policies import (
    ActionDistribution,
    ActionSpace,
    BadArray,
    Dimension,
    Eligibility,
    NothingEligible,
    dimension_probability,
    draw,
    probability,
    uniforms,
)

SPACE, WIDE = (
    ActionSpace(
        dimensions=tuple(
            Dimension(name=name, options=tuple(map(str, range(size)))) for name in ("1", "2")
        )
    )
    for size in (3, 63)
)
TWELVE = ActionSpace(dimensions=(Dimension(name="1", options=tuple("abcdefghijkl")),))


def mixture(
    support: list[list[list[int]]],
    weights: list[list[float]],
    *,
    eligible: list[list[int]],
    uniform_share: float,
) -> ActionDistribution:
    return ActionDistribution(
        space=SPACE if len(eligible[0]) == 2 else TWELVE,
        support=np.array(support, dtype=np.int16),
        weights=np.array(weights),
        uniform_share=uniform_share,
        eligible=Eligibility(options=np.array(eligible, dtype=np.int64)),
    )


def actions(*rows: list[int]) -> NDArray[np.int16]:
    return np.array(rows, dtype=np.int16)


TWO = mixture(
    [[[0, 0], [1, 2], [0, 0], [1, 0]]],
    [[0.3, 0.2, 0.1, 0.2]],
    eligible=[[0b011, 0b101]],
    uniform_share=0.2,
)
"""Two eligible options in each dimension, so the uniform part gives 0.05 to each of 4 actions."""


@pytest.mark.parametrize(
    ("action", "whole", "each"),
    [
        ([0, 0], 0.3 + 0.1 + 0.05, [0.4 + 0.1, 0.6 + 0.1]),
        ([1, 2], 0.2 + 0.05, [0.4 + 0.1, 0.2 + 0.1]),
        ([1, 0], 0.2 + 0.05, [0.4 + 0.1, 0.6 + 0.1]),
        ([0, 2], 0.05, [0.4 + 0.1, 0.2 + 0.1]),
        ([0, 1], 0.0, [0.4 + 0.1, 0.0]),
        ([2, 0], 0.0, [0.0, 0.6 + 0.1]),
    ],
)
def test_probabilities_are_exact(action: list[int], whole: float, each: list[float]) -> None:
    assert probability(TWO, actions(action)).tolist() == pytest.approx([whole], abs=1e-15)
    assert dimension_probability(TWO, actions(action))[0].tolist() == pytest.approx(each, abs=1e-15)


@pytest.mark.parametrize(
    ("number", "action", "explored"),
    [
        (0.0, [0, 0], False),
        (0.29, [0, 0], False),
        (0.31, [1, 2], False),
        (0.49, [1, 2], False),
        (0.51, [0, 0], False),
        (0.79, [1, 0], False),
        (0.81, [0, 0], True),
        (0.86, [0, 2], True),
        (0.91, [1, 0], True),
        (0.96, [1, 2], True),
        (1 - 2**-53, [1, 2], True),
    ],
)
def test_one_number_decides_everything(number: float, action: list[int], explored: bool) -> None:
    chosen = draw(TWO, np.array([number]))
    assert chosen.actions.tolist() == [action]
    assert chosen.explored.tolist() == [explored]
    assert chosen.propensities.tolist() == probability(TWO, actions(action)).tolist()
    assert (
        chosen.dimension_propensities.tolist()
        == dimension_probability(TWO, actions(action)).tolist()
    )


def test_rounding_never_chooses_a_candidate_of_weight_zero() -> None:
    tenth = mixture(
        [[[k] for k in range(12)]],
        [[0.0, *[0.1] * 10, 0.0]],
        eligible=[[(1 << 12) - 1]],
        uniform_share=0.0,
    )
    chosen = draw(
        mixture(
            tenth.support.repeat(2, axis=0).tolist(),
            tenth.weights.repeat(2, axis=0).tolist(),
            eligible=tenth.eligible.options.repeat(2, axis=0).tolist(),
            uniform_share=0.0,
        ),
        np.array([0.0, 1 - 2**-53]),
    )
    assert chosen.actions.tolist() == [[1], [10]]
    assert chosen.explored.tolist() == [False, False]


def test_frequencies_follow_the_probabilities() -> None:
    count = 40_000
    many = ActionDistribution(
        space=SPACE,
        support=np.repeat(TWO.support, count, axis=0),
        weights=np.broadcast_to(TWO.weights, (count, 4)),
        uniform_share=0.2,
        eligible=TWO.eligible.take(np.zeros(count, dtype=np.int64)),
    )
    chosen = draw(many, uniforms("frequencies", np.arange(count)))
    for action, expected in (([0, 0], 0.45), ([1, 2], 0.25), ([1, 0], 0.25), ([0, 2], 0.05)):
        share = (chosen.actions == action).all(axis=1).mean()
        assert abs(share - expected) < 4 * (expected * (1 - expected) / count) ** 0.5
    assert abs(chosen.explored.mean() - 0.2) < 4 * (0.16 / count) ** 0.5


@given(
    st.lists(st.lists(st.integers(1, 2**63 - 1), min_size=2, max_size=2), min_size=1, max_size=5),
    st.floats(0, 1, exclude_max=True),
)
def test_the_uniform_part_is_always_eligible(masks: list[list[int]], number: float) -> None:
    eligible = np.array(masks, dtype=np.int64)
    play = ActionDistribution(
        space=WIDE,
        support=np.empty((len(masks), 0, 2), dtype=np.int16),
        weights=np.empty((len(masks), 0)),
        uniform_share=1.0,
        eligible=Eligibility(options=eligible),
    )
    chosen = draw(play, np.full(len(masks), number))
    assert ((eligible >> chosen.actions.astype(np.int64)) & 1).all()
    assert chosen.explored.all()
    sizes = np.bitwise_count(eligible).astype(float)
    assert chosen.propensities.tolist() == pytest.approx((1 / sizes.prod(axis=1)).tolist())


@pytest.mark.parametrize("numbers", [[0.5, 0.5], [1.0], [-0.1], [float("nan")]])
def test_numbers_of_another_shape_or_range_are_refused(numbers: list[float]) -> None:
    with pytest.raises(BadArray, match="one number per profile, here 1"):
        draw(TWO, np.array(numbers))


def test_without_an_option_nothing_is_drawn() -> None:
    empty = mixture([[[0, 0]]], [[1.0]], eligible=[[1, 0]], uniform_share=0.0)
    with pytest.raises(NothingEligible, match="dimension '2' is eligible for 1 of 1 profiles"):
        draw(empty, np.array([0.5]))


def test_nobody_gets_nothing() -> None:
    nobody = ActionDistribution(
        space=SPACE,
        support=np.empty((0, 3, 2), dtype=np.int16),
        weights=np.empty((0, 3)),
        uniform_share=0.1,
        eligible=Eligibility(options=np.empty((0, 2), dtype=np.int64)),
    )
    assert draw(nobody, np.empty(0)).actions.shape == (0, 2)
