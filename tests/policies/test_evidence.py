"""Evidence is the sum over rows that the model defines, however the rows are cut up."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lessons import rows_of, space_of
from opportune.policies import (
    ActionSpace,
    Batch,
    Evidence,
    FactoredThompson,
    Glance,
    MixedEvidence,
    RewardKind,
)
from opportune.policies import evidence as evidence_room
from opportune.policies.evidence import Sums, gather
from opportune.policies.layout import coefficients, layout
from opportune.policies.terms import Terms, terms_of

Floats = NDArray[np.float64]

SPACE = space_of(3, 2)


def amounts(rows: Batch, *, seed: int = 5) -> Batch:
    worth = np.random.default_rng(seed).lognormal(2.0, 0.5, len(rows.rewards))
    return replace(rows, rewards=rows.rewards * worth)


def basis_by_hand(terms: Terms, features: Floats) -> Floats:
    """B(x) of one row, straight from its definition."""
    x = np.nan_to_num(np.clip((features - terms.scale.center) / terms.scale.spread, -4, 4), nan=0)
    products = [np.clip(x[j] * x[k], -6, 6) for j, k in terms.products]
    steps = [float(x[j] > level) for j, level in zip(terms.steps, terms.levels, strict=True)]
    return np.r_[1.0, x, np.array([*products, *steps]) - terms.averages]


def design(terms: Terms, sizes: tuple[int, ...], rows: Batch) -> Floats:
    """Every row's phi, straight from the definition of the model."""
    found = []
    for features, action in zip(rows.features, rows.actions.astype(int), strict=True):
        b = basis_by_hand(terms, features)
        own = [b]
        for size, option in zip(sizes, action, strict=True):
            own += [b * (each == option) for each in range(size)]
        for d, e in combinations(range(len(sizes)), 2):
            table = np.zeros((sizes[d], sizes[e]))
            table[action[d], action[e]] = 1.0
            own.append(table.ravel())
        found.append(np.concatenate(own))
    return np.array(found)


def assert_same_sums(one: Sums, other: Sums) -> None:
    for name in ("precision", "weighted", "rows", "squares"):
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=1e-9, atol=1e-9, err_msg=name
        )


@pytest.mark.parametrize(
    ("sizes", "rows"),
    # Few rows are added pair by pair, many rows of few combinations combination by combination.
    [
        ((3,), 30),
        ((2, 3), 20),
        ((2, 2), 200),
        ((3, 2, 2), 25),
        ((2, 2, 2), 300),
        ((2, 3, 2, 2), 40),
        ((2, 1, 2, 2), 300),
    ],
)
@pytest.mark.parametrize("kind", ["logit", "linear"])
def test_sums_are_those_of_the_definition_row_by_row(
    sizes: tuple[int, ...], rows: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = space_of(*sizes)
    batch = rows_of(space, rows, seed=1)
    batch.features[::5, 0] = np.nan
    batch.features[1, 1] = 1e6
    terms = terms_of(
        FactoredThompson(space, 2, reward="binary").summary(batch), most=100, most_with_steps=100
    )
    assert len(terms.products) == 1
    assert len(terms.steps) == 6
    shape = layout(sizes, terms.kinds)
    mean = np.random.default_rng(3).normal(0, 0.3, shape.size)
    phi = design(terms, sizes, batch)
    eta = phi @ mean
    chance = 1 / (1 + np.exp(-eta))
    weights = chance * (1 - chance) if kind == "logit" else np.ones(rows)
    response = batch.rewards
    if kind == "logit":
        response = eta + (batch.rewards - chance) / weights
    expected = Sums(
        precision=(phi * weights[:, None]).T @ phi,
        weighted=phi.T @ (weights * response),
        rows=float(rows),
        squares=float(weights @ response**2),
    )
    found = gather(shape, terms, batch, mean, kind=kind)  # type: ignore[arg-type] # both kinds
    assert_same_sums(found, expected)
    # Rows that do not fit into one chunk give the same.
    monkeypatch.setattr(evidence_room, "CHUNK_ROWS", 17)
    in_chunks = gather(shape, terms, batch, mean, kind=kind)  # type: ignore[arg-type] # both kinds
    assert_same_sums(in_chunks, expected)


def test_evidence_counts_rewards_and_takes_logarithms_of_amounts() -> None:
    rows = amounts(rows_of(SPACE, 80, seed=3, rate=0.4))
    policy = FactoredThompson(SPACE, 2, reward="amount").update(amounts(rows_of(SPACE, 90, seed=4)))
    known = policy.knowledge
    assert known is not None
    found = policy.evidence(rows)
    paid = rows.rewards > 0
    phi = design(known.terms, SPACE.sizes, rows)
    assert found.amount is not None
    np.testing.assert_allclose(
        found.amount.weighted, phi[paid].T @ np.log(rows.rewards[paid]), atol=1e-9
    )
    np.testing.assert_allclose(found.amount.precision, phi[paid].T @ phi[paid], atol=1e-9)
    assert (found.chance.rows, found.amount.rows) == (80.0, float(paid.sum()))
    assert found.responses.tolist() == [
        float((paid & (rows.actions[:, d] == k)).sum())
        for d, size in enumerate(SPACE.sizes)
        for k in range(size)
    ]


def assert_same_evidence(one: Evidence, other: Evidence) -> None:
    assert_same_sums(one.chance, other.chance)
    assert (one.amount is None) == (other.amount is None)
    if one.amount is not None and other.amount is not None:
        assert_same_sums(one.amount, other.amount)
    np.testing.assert_allclose(one.responses, other.responses, atol=1e-9)
    np.testing.assert_allclose(one.trials, other.trials, rtol=1e-9, atol=1e-9)


def assert_same_glance(one: Glance, other: Glance) -> None:
    assert_same_sums(one.first, other.first)
    assert_same_sums(one.second, other.second)
    for name in ("rows", "likelihoods", "observed", "expected", "variance"):
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=1e-9, atol=1e-9, err_msg=name
        )


TAUGHT = FactoredThompson(SPACE, 2, reward="binary").update(rows_of(SPACE, 60, seed=1))
TAUGHT_AMOUNTS = FactoredThompson(SPACE, 2, reward="amount").update(
    amounts(rows_of(SPACE, 60, seed=1))
)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(0, 60),
    cuts=st.tuples(st.integers(0, 60), st.integers(0, 60)),
    worth=st.booleans(),
)
def test_looks_and_evidence_of_shards_add_in_any_order(
    seed: int, rows: int, cuts: tuple[int, int], worth: bool
) -> None:
    policy = TAUGHT_AMOUNTS if worth else TAUGHT
    whole = rows_of(SPACE, rows, seed=seed)
    whole = amounts(whole) if worth else whole
    low, high = sorted(cuts)
    a, b, c = (whole.take(each) for each in (slice(None, low), slice(low, high), slice(high, None)))
    assert_same_evidence(
        policy.evidence(c) + policy.evidence(a) + policy.evidence(b), policy.evidence(whole)
    )
    assert_same_glance(policy.glance(b) + policy.glance(c) + policy.glance(a), policy.glance(whole))


def test_a_look_at_a_part_of_many_rows_adds_too() -> None:
    known = TAUGHT.knowledge
    assert known is not None
    # After a day of a million rows only a tenth of the next is looked at.
    policy = replace(TAUGHT, knowledge=replace(known, last_rows=1e6))
    whole = rows_of(SPACE, 400, seed=9)
    found = policy.glance(whole)
    assert found.rows == 400
    assert 10 < found.first.rows + found.second.rows < 80
    parts = (policy.glance(whole.take(slice(k, k + 4))) for k in range(0, 400, 4))
    total = next(parts)
    for each in parts:
        total = total + each
    assert_same_glance(total, found)


@pytest.mark.parametrize("reward", ["binary", "amount"])
def test_learning_from_shards_is_learning_from_all_rows(reward: RewardKind) -> None:
    fresh = FactoredThompson(SPACE, 2, reward=reward)
    whole = amounts(rows_of(SPACE, 300, seed=8))
    if reward == "binary":
        whole = replace(whole, rewards=(whole.rewards > 0).astype(np.float64))
    shards = [whole.take(slice(None, 90)), whole.take(slice(90, None))]
    first, second = (fresh.summary(shard) for shard in shards)
    policy = fresh.prepared(second + first)
    one, two = (policy.glance(shard) for shard in shards)
    policy = policy.stepped(two + one)
    three, four = (policy.evidence(shard) for shard in shards)
    together, at_once = policy.absorb(three + four), fresh.update(whole)
    np.testing.assert_allclose(
        together.expected(whole.features, whole.actions),
        at_once.expected(whole.features, whole.actions),
        rtol=1e-6,
    )


def others() -> dict[str, tuple[FactoredThompson, ActionSpace]]:
    narrow, wide = space_of(3), space_of(3, 3)
    return {
        "scale": (FactoredThompson(SPACE, 2, reward="binary"), SPACE),
        "fewer dimensions": (FactoredThompson(narrow, 2, reward="binary"), narrow),
        "more options": (FactoredThompson(wide, 2, reward="binary"), wide),
    }


@pytest.mark.parametrize("which", ["scale", "fewer dimensions", "more options"])
def test_what_another_policy_gathered_is_refused(which: str) -> None:
    fresh, space = others()[which]
    other = fresh.update(rows_of(space, 50, seed=2))
    mine, strange = rows_of(SPACE, 5, seed=3), rows_of(space, 5, seed=3)
    with pytest.raises(MixedEvidence, match="by two policies that differ"):
        TAUGHT.evidence(mine) + other.evidence(strange)
    with pytest.raises(MixedEvidence, match="by two policies that differ"):
        TAUGHT.glance(mine) + other.glance(strange)
    with pytest.raises(MixedEvidence, match="by a policy of other options"):
        TAUGHT.absorb(other.evidence(strange))
    with pytest.raises(MixedEvidence, match="by a policy of other options"):
        TAUGHT.stepped(other.glance(strange))


def test_evidence_of_another_kind_of_reward_is_refused() -> None:
    rows = rows_of(SPACE, 50, seed=2)
    one, other = (
        FactoredThompson(SPACE, 2, reward=kind).update(rows) for kind in ("binary", "amount")
    )
    with pytest.raises(MixedEvidence, match="two policies"):
        one.evidence(rows) + other.evidence(rows)
    with pytest.raises(MixedEvidence, match="by a policy of other"):
        one.absorb(other.evidence(rows))
    with pytest.raises(MixedEvidence, match="by a policy of other"):
        other.absorb(one.evidence(rows))


def test_numbers_of_options_spread_over_their_coefficients() -> None:
    shape = layout((2, 2), np.array([0, 1]))
    found = coefficients(shape, np.array([1.0, 2.0, 3.0, 1.5]))
    assert found.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 1.5, 1.5, 3, 1.5, 3, 2]
