"""Spike and slab: what matters is found, what does not is switched off, and nothing is lost."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from lessons import rewarded, rows_of, space_of
from opportune.policies import Batch, FactoredThompson, shrinkage
from opportune.policies.evidence import Sums, no_sums
from opportune.policies.layout import layout
from opportune.policies.shrinkage import Beliefs, fit, posterior, prior_beliefs

Floats = NDArray[np.float64]

SPACE = space_of(2)


def day(seed: int, effect: str, *, count: int = 5_000) -> Batch:
    """Rows where one option is better or worse by something of the features: or by nothing."""
    rows = rows_of(SPACE, count, seed=seed, features=3)
    x = rows.features
    matters = {
        "nothing": np.zeros(count),
        "feature": x[:, 1],
        "product": x[:, 0] * x[:, 1],
        "step": np.where(x[:, 2] > 0, 1.0, -1.0),
    }[effect]
    sign = np.where(rows.actions[:, 0] == 0, 0.8, -0.8)
    return rewarded(rows, -0.5 + sign * matters, seed=seed + 1_000)


def inclusion(policy: FactoredThompson) -> dict[str, float]:
    """The most certain coefficient of the options by what it is about."""
    known = policy.knowledge
    assert known is not None
    terms = known.terms
    names = ["1", *(f"x{j}" for j in range(3))]
    names += [f"x{j}x{k}" for j, k in terms.products]
    names += [f"s{j}" for j in terms.steps]
    width = len(names)
    found: dict[str, float] = {}
    tables = known.chance.beliefs.inclusion[width : 3 * width].reshape(2, width).max(axis=0)
    for name, share in zip(names, tables, strict=True):
        found[name] = max(found.get(name, 0.0), float(share))
    return found


@pytest.mark.parametrize(
    ("effect", "matters"), [("feature", "x1"), ("product", "x0x1"), ("step", "s2")]
)
def test_what_matters_is_found_and_the_rest_is_switched_off(effect: str, matters: str) -> None:
    policy = FactoredThompson(SPACE, 3, reward="binary")
    for seed in (1, 2):
        policy = policy.update(day(seed, effect))
    found = inclusion(policy)
    assert found[matters] > 0.95
    others = [share for name, share in found.items() if name not in ("1", matters, "x2")]
    assert max(others) < 0.6
    assert np.median(others) < 0.2


def test_nothing_is_found_where_nothing_matters() -> None:
    policy = FactoredThompson(SPACE, 3, reward="binary")
    for seed in (1, 2):
        policy = policy.update(day(seed, "nothing"))
    prior = inclusion(
        FactoredThompson(SPACE, 3, reward="binary").prepared(policy.summary(day(1, "nothing")))
    )
    found = inclusion(policy)
    assert np.mean([found[name] for name in ("x0", "x1", "x2")]) < prior["x0"]
    rows = day(3, "nothing")
    differences = policy.expected(rows.features, np.zeros((5_000, 1), np.int16)) - policy.expected(
        rows.features, np.ones((5_000, 1), np.int16)
    )
    assert np.abs(differences).mean() < 0.03


def test_a_coefficient_that_took_no_part_comes_back_as_data_ask_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shrinkage, "SMALL", 0)
    monkeypatch.setattr(shrinkage, "ACTIVE", 0.3)
    policy = FactoredThompson(SPACE, 3, reward="binary").update(day(1, "nothing"))
    known = policy.knowledge
    assert known is not None
    size = len(known.point)
    resting = np.setdiff1d(np.arange(size), known.chance.members[0].active)
    assert len(resting) > 0.3 * size
    for seed in (2, 3):
        policy = policy.update(day(seed, "product"))
    known = policy.knowledge
    assert known is not None
    again = np.intersect1d(resting, known.chance.members[known.best].active)
    products = [
        1 + 3 + option * known.terms.width + place
        for option in (1, 2)
        for place in range(len(known.terms.products))
    ]
    assert len(np.intersect1d(again, products)) > 0
    assert inclusion(policy)["x0x1"] > 0.95


def test_leaving_out_what_does_not_matter_changes_next_to_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = day(1, "product", count=3_000)
    fresh = FactoredThompson(SPACE, 3, reward="binary")
    whole = fresh.update(rows)
    monkeypatch.setattr(shrinkage, "SMALL", 0)
    monkeypatch.setattr(shrinkage, "ACTIVE", 0.1)
    some = fresh.update(rows)
    assert whole.knowledge is not None
    assert some.knowledge is not None
    active = some.knowledge.chance.members[0].active
    assert len(active) < len(whole.knowledge.point)
    np.testing.assert_allclose(
        some.expected(rows.features, rows.actions),
        whole.expected(rows.features, rows.actions),
        atol=0.02,
    )


def exact_inclusion(sums: Sums, beliefs: Beliefs, slabs: Floats, shares: Floats) -> Floats:
    """The probability of each coefficient to be something, by going through all combinations."""
    size = len(sums.weighted)
    logs, which = [], list(product((False, True), repeat=size - 1))
    for chosen in which:
        inside = np.array([True, *chosen])
        variance = np.where(inside, slabs, shrinkage.SPIKE * slabs)
        variance[0] = shrinkage.INTERCEPT_VARIANCE
        whole = sums.precision + np.diag(1 / variance)
        likely = 0.5 * (sums.weighted @ np.linalg.solve(whole, sums.weighted))
        likely -= 0.5 * (np.linalg.slogdet(whole)[1] + np.log(variance).sum())
        likely += np.log(np.where(inside, shares, 1 - shares)[1:]).sum()
        logs.append(likely)
    weights = np.exp(np.array(logs) - max(logs))
    weights /= weights.sum()
    return np.asarray(weights @ np.array(which, dtype=np.float64))


def test_propagation_comes_near_the_exact_answer() -> None:
    shape = layout((2, 2), np.array([0]))
    numbers = np.random.default_rng(4)
    phi = np.zeros((400, shape.size))
    actions = numbers.integers(0, 2, (400, 2))
    phi[:, 0] = 1.0
    phi[np.arange(400), 1 + actions[:, 0]] = 1.0
    phi[np.arange(400), 3 + actions[:, 1]] = 1.0
    phi[np.arange(400), 5 + 2 * actions[:, 0] + actions[:, 1]] = 1.0
    truth = np.array([0.5, 0.5, -0.5, 0, 0, 0, 0, 0, 0.0])
    answer = phi @ truth + numbers.normal(0, 1, 400)
    sums = Sums(
        precision=phi.T @ phi, weighted=phi.T @ answer, rows=400.0, squares=float(answer @ answer)
    )
    beliefs = prior_beliefs(shape)
    for _ in range(15):
        beliefs, found = fit(shape, sums, beliefs)
    slabs, shares = beliefs.slabs[shape.types], beliefs.shares[shape.groups]
    exact = exact_inclusion(sums, beliefs, slabs, shares)
    np.testing.assert_allclose(beliefs.inclusion[1:], exact, atol=0.1)
    assert found.mean[1] > 0 > found.mean[2]


def test_without_rows_belief_stays_at_the_prior() -> None:
    shape = layout((3, 2), np.array([0, 1, 2]))
    beliefs = prior_beliefs(shape)
    found = posterior(shape, no_sums(shape), beliefs)
    assert np.array_equal(found.whole(shape.size), np.zeros(shape.size))
    again = found.lower @ found.lower.T
    np.testing.assert_allclose(np.diag(again), beliefs.precision[found.active])
