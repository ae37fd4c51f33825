from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from opportune.policies import (
    ActionDistribution,
    ActionSpace,
    BadArray,
    Dimension,
    Eligibility,
    Fixed,
    NothingEligible,
    dimension_probability,
    draw,
    everything,
    probability,
    require_eligible,
    uniforms,
)
from opportune.policies.eligible import MAX_PATTERN_CELLS

SIZES = (3, 2, 2)
SPACE = ActionSpace(
    dimensions=tuple(
        Dimension(name=name, options=tuple(f"{name}{k}" for k in range(size)))
        for name, size in zip("abc", SIZES, strict=True)
    )
)
ACTIONS = SPACE.actions()
Masks = NDArray[np.bool_]


@st.composite
def masks(draw_: st.DrawFn) -> Masks:
    """Any mask over the combinations for one to six profiles, each with one combination left."""
    rows = draw_(st.integers(1, 6))
    cells = draw_(st.lists(st.booleans(), min_size=12 * rows, max_size=12 * rows))
    found = np.array(cells).reshape(rows, 12)
    found[np.arange(rows), draw_(st.lists(st.integers(0, 11), min_size=rows, max_size=rows))] = True
    return found


def same(action: NDArray[np.int16], rows: int) -> NDArray[np.int16]:
    return np.broadcast_to(action, (rows, len(SIZES)))


@settings(max_examples=50, deadline=None)
@given(masks())
def test_a_mask_over_combinations_is_kept_exactly(allowed: Masks) -> None:
    eligible = Eligibility.of_combinations(SPACE, allowed)
    require_eligible(SPACE, eligible)
    assert len(eligible) == len(allowed)
    found = np.stack([eligible.allows(SPACE, same(each, len(allowed))) for each in ACTIONS], axis=1)
    np.testing.assert_array_equal(found, allowed)
    np.testing.assert_array_equal(eligible.counts(SPACE), allowed.sum(axis=1))
    for action in ACTIONS:
        counts = [
            [(row & (ACTIONS[:, d] == option)).sum() for d, option in enumerate(action)]
            for row in allowed
        ]
        found_counts = eligible.option_counts(SPACE, same(action, len(allowed)))
        np.testing.assert_array_equal(found_counts, counts)


@settings(max_examples=50, deadline=None)
@given(masks(), st.data())
def test_option_masks_and_patterns_hold_together(allowed: Masks, data: st.DataObject) -> None:
    rows = len(allowed)
    narrow = [data.draw(st.integers(1, (1 << size) - 1)) for size in SIZES]
    whole = Eligibility.of_combinations(SPACE, allowed)
    both = Eligibility(
        options=whole.options & np.array(narrow),
        combinations=whole.combinations,
        pattern=whole.pattern,
    )
    by_option = ((np.array(narrow) >> ACTIONS.astype(np.int64)) & 1).all(axis=1)
    expected = allowed & by_option
    found = np.stack([both.allows(SPACE, same(each, rows)) for each in ACTIONS], axis=1)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(both.counts(SPACE), expected.sum(axis=1))
    seen = np.zeros(rows, dtype=np.int64)
    for where, row in both.alike(SPACE):
        seen[where] += 1
        np.testing.assert_array_equal(expected[where], np.broadcast_to(row, (len(where), 12)))
    assert seen.tolist() == [1] * rows


@settings(max_examples=50, deadline=None)
@given(masks(), st.floats(0, 1, exclude_max=True))
def test_probabilities_under_patterns_sum_to_one_and_forbidden_ones_are_zero(
    allowed: Masks, share: float
) -> None:
    rows = len(allowed)
    eligible = Eligibility.of_combinations(SPACE, allowed)
    first, last = allowed.argmax(axis=1), 11 - allowed[:, ::-1].argmax(axis=1)
    play = ActionDistribution(
        space=SPACE,
        support=np.stack([ACTIONS[first], ACTIONS[last]], axis=1),
        weights=np.full((rows, 2), (1 - share) / 2),
        uniform_share=share,
        eligible=eligible,
    )
    each = np.stack([probability(play, same(action, rows)) for action in ACTIONS], axis=1)
    np.testing.assert_allclose(each.sum(axis=1), 1.0, atol=1e-12)
    assert (each[~allowed] == 0).all()
    for d, size in enumerate(SIZES):
        options = [
            dimension_probability(play, same(np.eye(3, dtype=np.int16)[d] * option, rows))[:, d]
            for option in range(size)
        ]
        expected = [each[:, ACTIONS[:, d] == option].sum(axis=1) for option in range(size)]
        np.testing.assert_allclose(options, expected, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(masks(), st.floats(0, 1, exclude_max=True))
def test_the_uniform_part_draws_only_what_the_pattern_allows(allowed: Masks, number: float) -> None:
    rows = len(allowed)
    play = uniform(Eligibility.of_combinations(SPACE, allowed))
    chosen = draw(play, np.full(rows, number))
    assert allowed[np.arange(rows), SPACE.codes(chosen.actions)].all()
    np.testing.assert_allclose(chosen.propensities, 1 / allowed.sum(axis=1), rtol=1e-15)


def uniform(eligible: Eligibility) -> ActionDistribution:
    return ActionDistribution(
        space=SPACE,
        support=np.empty((len(eligible), 0, len(SIZES)), dtype=np.int16),
        weights=np.empty((len(eligible), 0)),
        uniform_share=1.0,
        eligible=eligible,
    )


def test_frequencies_under_a_pattern_follow_the_probabilities() -> None:
    row = np.zeros(12, dtype=bool)
    row[[0, 3, 4, 8, 11]] = True
    count = 20_000
    eligible = Eligibility.of_combinations(SPACE, np.broadcast_to(row, (count, 12)))
    assert eligible.combinations is not None
    assert len(eligible.combinations) == 1
    chosen = draw(uniform(eligible), uniforms("pattern", np.arange(count)))
    shares = np.bincount(SPACE.codes(chosen.actions), minlength=12) / count
    assert (shares[~row] == 0).all()
    # Four standard deviations of a share of a fifth.
    np.testing.assert_allclose(shares[row], 0.2, atol=4 * (0.2 * 0.8 / count) ** 0.5)


def test_some_of_the_profiles_keep_their_patterns() -> None:
    allowed = np.ones((4, 12), dtype=bool)
    allowed[1, 1:] = allowed[2, :11] = False
    eligible = Eligibility.of_combinations(SPACE, allowed)
    assert eligible.take(np.array([2, 1])).counts(SPACE).tolist() == [1.0, 1.0]
    assert eligible.take(slice(1, None)).counts(SPACE).tolist() == [1.0, 1.0, 12.0]
    assert everything(SPACE, 3).take(slice(1)).counts(SPACE).tolist() == [12.0]


def test_a_fixed_action_that_a_pattern_forbids_falls_back_to_the_first_allowed() -> None:
    allowed = np.ones((3, 12), dtype=bool)
    allowed[1, 5] = False
    allowed[2, [0, 1, 5]] = False
    eligible = Eligibility.of_combinations(SPACE, allowed)
    usual = tuple(SPACE.dimensions[d].options[o] for d, o in enumerate(ACTIONS[5]))
    play = Fixed(SPACE, usual).distribution(np.zeros((3, 0)), eligible, seed=1)
    assert SPACE.codes(play.support[:, 0]).tolist() == [5, 0, 2]


def test_what_does_not_fit_together_is_refused() -> None:
    full = everything(SPACE, 2).options
    table, pattern = np.ones((1, 12), dtype=bool), np.zeros(2, dtype=np.int64)
    with pytest.raises(BadArray, match="combinations and pattern together, or neither"):
        Eligibility(options=full, combinations=table)
    with pytest.raises(BadArray, match="together, or neither"):
        Eligibility(options=full, pattern=pattern)
    for shape in ((2, 11), (12,)):
        with pytest.raises(BadArray, match=r"allowed is \(profiles, 12\)"):
            Eligibility.of_combinations(SPACE, np.ones(shape, dtype=bool))
    for combinations, which in (
        (table[:, 1:], pattern),
        (table, pattern[1:]),
    ):
        wrong = Eligibility(options=full, combinations=combinations, pattern=which)
        with pytest.raises(BadArray, match=r"allowed are \(patterns, 12\) and \(2,\)"):
            require_eligible(SPACE, wrong)
    for which in (pattern + 1, pattern - 1):
        wrong = Eligibility(options=full, combinations=table, pattern=which)
        with pytest.raises(BadArray, match="allowed are 0 to 0"):
            require_eligible(SPACE, wrong)


def test_too_many_patterns_are_refused_before_they_are_looked_at() -> None:
    patterns = MAX_PATTERN_CELLS // 12 + 1
    table = np.broadcast_to(np.ones(12, dtype=bool), (patterns, 12))
    pattern = np.zeros(2, dtype=np.int64)
    vast = Eligibility(options=everything(SPACE, 2).options, combinations=table, pattern=pattern)
    with pytest.raises(BadArray, match=rf"{patterns} patterns of 12 combinations were given"):
        require_eligible(SPACE, vast)


def test_a_profile_whose_every_combination_is_forbidden_is_refused() -> None:
    allowed = np.ones((3, 12), dtype=bool)
    allowed[:, ACTIONS[:, 0] == 0] = False
    eligible = Eligibility.of_combinations(SPACE, allowed)
    only_first = eligible.options.copy()
    only_first[1, 0] = 0b001
    narrowed = Eligibility(
        options=only_first, combinations=eligible.combinations, pattern=eligible.pattern
    )
    with pytest.raises(NothingEligible, match="forbidden for 1 of 3 profiles"):
        require_eligible(SPACE, narrowed)
    none = Eligibility.of_combinations(SPACE, np.zeros((1, 12), dtype=bool))
    with pytest.raises(NothingEligible, match="dimension 'a' is eligible for 1 of 1"):
        require_eligible(SPACE, none)
