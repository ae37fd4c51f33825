"""From raw features to the terms the model is linear in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lessons import rows_of, space_of
from opportune.policies import Batch, FactoredThompson, Summary, features
from opportune.policies.terms import Terms, basis, same_terms, terms_of, unscaled

SPACE = space_of(3, 2)
FRESH = FactoredThompson(SPACE, 2, reward="binary")


def with_features(*columns: NDArray[np.float64]) -> Batch:
    rows = rows_of(SPACE, len(columns[0]), seed=1)
    return replace(rows, features=np.column_stack(columns))


def terms_for(rows: Batch, *, most: int = 100, with_steps: int = 100) -> Terms:
    policy = FactoredThompson(SPACE, rows.features.shape[1], reward="binary")
    return terms_of(policy.summary(rows), most=most, most_with_steps=with_steps)


def test_a_summary_knows_mean_and_spread_and_skips_gaps() -> None:
    found: Summary = FactoredThompson(SPACE, 2, reward="amount").summary(
        Batch(
            features=np.array([[1.0, np.nan], [3.0, np.inf], [5.0, -np.inf]]),
            actions=np.zeros((3, 2), dtype=np.int16),
            rewards=np.array([np.e, 0.0, np.e**2]),
            propensities=np.ones(3),
        )
    )
    assert (found.rows, found.rewarded) == (3.0, 2.0)
    assert found.logs == pytest.approx(3.0)
    assert found.counts.tolist() == [3.0, 0.0]
    assert found.means.tolist() == [3.0, 0.0]
    assert found.squares.tolist() == [8.0, 0.0]
    assert sorted(found.sample[:, 0].tolist()) == [1.0, 3.0, 5.0]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 60), st.integers(0, 60))
def test_summaries_of_shards_add_in_any_order(seed: int, rows: int, cut: int) -> None:
    whole = rows_of(SPACE, rows, seed=seed)
    whole.features[::4, 1] = np.nan
    one, other = (
        FRESH.summary(whole.take(slice(cut))),
        FRESH.summary(whole.take(slice(cut, None))),
    )
    expected = FRESH.summary(whole)
    for added in (one + other, other + one):
        for name in ("rows", "rewarded", "logs", "counts", "means", "squares", "keys", "sample"):
            np.testing.assert_allclose(
                getattr(added, name), getattr(expected, name), rtol=1e-9, atol=1e-9, err_msg=name
            )


def test_the_sample_of_many_rows_is_the_same_however_they_are_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(features, "SAMPLE", 32)
    whole = rows_of(SPACE, 300, seed=3)
    one, two, three = (FRESH.summary(whole.take(slice(k, k + 100))) for k in (0, 100, 200))
    at_once = FRESH.summary(whole)
    assert at_once.sample.shape == (32, 2)
    assert np.array_equal((three + (one + two)).sample, at_once.sample)


def test_terms_are_the_features_their_products_and_quartile_steps() -> None:
    numbers = np.random.default_rng(1).normal(10, 2, (400, 2))
    rows = with_features(*numbers.T)
    terms = terms_for(rows)
    assert terms.kinds.tolist() == [0, 1, 1, 2, 3, 3, 3, 3, 3, 3]
    assert terms.products.tolist() == [[0, 1]]
    assert terms.steps.tolist() == [0, 0, 0, 1, 1, 1]
    grid = basis(terms, rows.features)
    # All but the constant are less their average; steps cut off a quarter, half, three quarters.
    assert abs(grid[:, 1:].mean(axis=0)).max() < 1e-9
    above = (grid[:, 4:] > 0).mean(axis=0)
    assert above.tolist() == pytest.approx([0.75, 0.5, 0.25] * 2, abs=0.01)
    assert np.ptp(grid[:, 4:], axis=0).tolist() == pytest.approx([1.0] * 6)


def test_terms_fit_the_kind_of_number_a_feature_is() -> None:
    numbers = np.random.default_rng(2)
    yes = (numbers.random(300) < 0.3).astype(np.float64)
    count = numbers.integers(0, 3, 300).astype(np.float64)
    terms = terms_for(with_features(yes, np.full(300, 1e9), count))
    assert terms.products.tolist() == [[0, 2]]
    assert set(terms.steps.tolist()) == {2}
    assert terms.scale.spread[1] == 1.0
    # A step lies between two values, so that rounding moves nobody.
    raw = terms.levels * terms.scale.spread[2] + terms.scale.center[2]
    assert all(min(abs(level - value) for value in (0, 1, 2)) > 0.1 for level in raw)


def test_where_there_is_no_room_steps_go_first_and_then_products() -> None:
    rows = rows_of(SPACE, 200, seed=1, features=4)
    assert terms_for(rows, with_steps=23).width == 1 + 4 + 6 + 12
    assert terms_for(rows, with_steps=22).width == 1 + 4 + 6
    assert terms_for(rows, most=11, with_steps=11).width == 1 + 4 + 6
    assert terms_for(rows, most=10, with_steps=10).width == 1 + 4
    assert terms_for(rows, most=10, with_steps=17).width == 1 + 4 + 12


def test_gaps_count_as_average_and_outliers_are_cut() -> None:
    terms = terms_for(rows_of(SPACE, 500, seed=1))
    center, edge = terms.scale.center, terms.scale.center + 4 * terms.scale.spread
    found = basis(terms, np.array([[np.nan, np.nan], center, [np.inf, 1e12], edge]))
    assert np.array_equal(found[0], found[1])
    np.testing.assert_allclose(found[2], found[3], atol=1e-12)


def test_without_features_there_is_only_the_constant() -> None:
    rows = rows_of(SPACE, 10, seed=1, features=0)
    assert terms_for(rows).kinds.tolist() == [0]
    assert basis(unscaled(0), rows.features).tolist() == [[1.0]] * 10


def test_terms_of_other_rows_are_others() -> None:
    one, other = (terms_for(rows_of(SPACE, 50, seed=seed)) for seed in (1, 2))
    assert same_terms(one, terms_for(rows_of(SPACE, 50, seed=1)))
    assert not same_terms(one, other)
