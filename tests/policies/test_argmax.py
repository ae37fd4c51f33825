"""The best action, held against scoring every combination."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from opportune.policies import ActionSpace, BadArray, Dimension, Eligibility, argmax, everything
from opportune.policies.argmax import Committee, best_actions

Single = NDArray[np.float32]


def space_of(sizes: tuple[int, ...]) -> ActionSpace:
    return ActionSpace(
        dimensions=tuple(
            Dimension(name=str(d), options=tuple(map(str, range(size))))
            for d, size in enumerate(sizes)
        )
    )


def committee_of(
    sizes: tuple[int, ...], functions: int, draws: int, *, seed: int, step: float | None = None
) -> Committee:
    """Draws around a common mean; with ``step`` all numbers are few multiples of it, so equal
    scores are common and sums exact."""
    numbers = np.random.default_rng(seed)

    def drawn(*shape: int) -> Single:
        values = numbers.normal(size=shape) * 0.3 + numbers.normal(size=(draws, *shape)) * 0.1
        if step is not None:
            values = np.round(values * 3) * step
        return values.astype(np.float32)

    return Committee(
        unary=drawn(functions, sum(sizes)).transpose(1, 0, 2),
        pairs=tuple(
            (d, e, drawn(sizes[d], sizes[e])) for d, e in combinations(range(len(sizes)), 2)
        ),
    )


def every_score(
    space: ActionSpace, committee: Committee, basis: Single, eligible: Eligibility
) -> Single:
    """Scores ``(n, S, C)`` in the documented order; below all where an action is not eligible."""
    actions = space.actions()
    first = np.cumsum([0, *space.sizes])
    unary = np.einsum("nq,qsk->nsk", basis, committee.unary)
    scores = np.zeros((len(basis), unary.shape[1], len(actions)), dtype=np.float32)
    for d, chosen in enumerate(actions.T):
        scores += unary[:, :, first[d] + chosen]
    sums = np.zeros(scores.shape[1:], dtype=np.float32)
    for d, e, table in committee.pairs:
        sums += table[:, actions[:, d], actions[:, e]]
    scores += sums
    for c, action in enumerate(actions):
        same = np.broadcast_to(action, (len(basis), len(action)))
        scores[~eligible.allows(space, same), :, c] = -np.inf
    return scores


@st.composite
def problems(draw: st.DrawFn) -> tuple[ActionSpace, Committee, Single, Eligibility]:
    sizes = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    space, seed = space_of(sizes), draw(st.integers(0, 2**32 - 1))
    functions, draws = draw(st.integers(1, 6)), draw(st.sampled_from([1, 3, 8, 33]))
    committee = committee_of(sizes, functions, draws, seed=seed, step=0.25)
    numbers = np.random.default_rng(seed)
    count = draw(st.integers(1, 9))
    basis = numbers.integers(-2, 3, size=(count, functions)).astype(np.float32)
    some = [pair for pair in committee.pairs if numbers.random() < 0.8]
    committee = Committee(unary=committee.unary, pairs=tuple(some))
    if draw(st.booleans()):
        allowed = numbers.random((count, space.combinations)) < draw(st.sampled_from([0.1, 0.9]))
        allowed[np.arange(count), numbers.integers(0, space.combinations, count)] = True
        return space, committee, basis, Eligibility.of_combinations(space, allowed)
    masks = np.stack([numbers.integers(1, 1 << size, count) for size in sizes], axis=1)
    return space, committee, basis, Eligibility(options=masks)


@given(problems())
@settings(deadline=None, max_examples=150)
def test_it_is_the_first_of_the_best_eligible(
    problem: tuple[ActionSpace, Committee, Single, Eligibility],
) -> None:
    space, committee, basis, eligible = problem
    found, scores = best_actions(
        space, committee, lambda rows: basis[rows], eligible, with_scores=True
    )
    wanted = every_score(space, committee, basis, eligible)
    assert np.array_equal(found, space.actions()[wanted.argmax(axis=2)])
    assert np.array_equal(scores, wanted.max(axis=2))


@pytest.mark.parametrize(
    ("sizes", "draws", "profiles"),
    [
        ((4, 5, 3), 32, 200),
        ((7, 6, 8, 5), 32, 60),
        ((10, 10, 10, 10, 10), 4, 10),
        ((63, 40), 8, 60),
    ],
)
def test_it_is_exact_for_coefficients_as_they_are_learned(
    sizes: tuple[int, ...], draws: int, profiles: int
) -> None:
    space = space_of(sizes)
    committee = committee_of(sizes, 13, draws, seed=1)
    numbers = np.random.default_rng(2)
    basis = numbers.normal(size=(profiles, 13)).astype(np.float32)
    masks = np.stack([numbers.integers(1, 1 << size, profiles) for size in sizes], axis=1)
    masks[::2] = everything(space, 1).options
    eligible = Eligibility(options=masks)
    found, scores = best_actions(
        space, committee, lambda rows: basis[rows], eligible, with_scores=True
    )
    wanted = every_score(space, committee, basis, eligible)
    codes = space.codes(found.reshape(-1, len(sizes))).reshape(found.shape[:2])
    reached = np.take_along_axis(wanted, codes[:, :, None], axis=2)[:, :, 0]
    # The product is rounded in another order, so a tie within rounding may go either way.
    assert (reached >= wanted.max(axis=2) - 1e-4).all()
    assert (codes == wanted.argmax(axis=2)).mean() > 0.999
    np.testing.assert_allclose(scores, reached, atol=1e-4)


def test_forbidden_pairs_are_never_chosen_whatever_they_score() -> None:
    space = space_of((3, 4, 5))
    lures = np.zeros((2, 3, 4), dtype=np.float32)
    lures[:, 1, 2] = 1e6
    committee = Committee(unary=committee_of((3, 4, 5), 5, 2, seed=3).unary, pairs=((0, 1, lures),))
    actions = space.actions()
    allowed = ~((actions[:, 0] == 1) & (actions[:, 1] == 2))
    eligible = Eligibility.of_combinations(space, np.tile(allowed, (700, 1)))
    basis = np.random.default_rng(4).normal(size=(700, 5)).astype(np.float32)
    found = best_actions(space, committee, lambda rows: basis[rows], eligible)
    assert not ((found[:, :, 0] == 1) & (found[:, :, 1] == 2)).any()
    assert len(np.unique(found.reshape(-1, 3), axis=0)) > 3


def test_a_profile_gets_the_same_alone_in_a_crowd_on_threads_and_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    space = space_of((6, 6, 6, 6))
    committee = committee_of(space.sizes, 7, 8, seed=5)
    basis = np.random.default_rng(6).normal(size=(3_001, 7)).astype(np.float32)
    asked: list[int] = []

    def values(rows: slice) -> Single:
        asked.append(rows.stop - rows.start)
        return basis[rows]

    crowd = best_actions(space, committee, values, everything(space, 3_001), threads=1)
    assert sum(asked) == 3_001
    assert max(asked) * 24 * 8 <= argmax.CHUNK_CELLS
    several = best_actions(space, committee, values, everything(space, 3_001), threads=3)
    monkeypatch.setattr(argmax, "TABLE_CELLS", 3 * space.combinations)
    parts = best_actions(space, committee, values, everything(space, 3_001))
    last = best_actions(space, committee, lambda _: basis[-1:], everything(space, 1))
    assert np.array_equal(crowd, several)
    assert np.array_equal(crowd, parts)
    assert np.array_equal(crowd[-1:], last)


def test_nobody_is_nothing() -> None:
    space = space_of((2, 3))
    committee = committee_of(space.sizes, 1, 4, seed=7)
    found, scores = best_actions(
        space, committee, lambda _: np.empty((0, 1), "f4"), everything(space, 0), with_scores=True
    )
    assert found.shape == (0, 4, 2)
    assert scores.shape == (0, 4)


@pytest.mark.parametrize(
    ("committee", "basis", "message"),
    [
        (Committee(unary=np.ones((1, 2, 4), "f4"), pairs=()), 1.0, r"allowed is \(basis functions"),
        (
            Committee(unary=np.ones((1, 2, 5), "f4"), pairs=((0, 1, np.ones((2, 3, 2), "f4")),)),
            1.0,
            r"dimensions 0 and 1 has shape \(2, 3, 2\)",
        ),
        (
            Committee(unary=np.ones((1, 2, 5), "f4"), pairs=((1, 2, np.ones((2, 3, 2), "f4")),)),
            1.0,
            "allowed are two of the dimensions 0 to 1, in order",
        ),
        (Committee(unary=np.full((1, 2, 5), np.nan, "f4"), pairs=()), 1.0, "not finite"),
        (Committee(unary=np.ones((1, 2, 5), "f4"), pairs=()), np.nan, "6 of 6 best scores are not"),
        (Committee(unary=np.ones((2, 2, 5), "f4"), pairs=()), 1.0, r"basis has shape \(3, 1\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    committee: Committee, basis: float, message: str
) -> None:
    values = np.full((3, 1), basis, dtype=np.float32)
    space = space_of((2, 3))
    with pytest.raises(BadArray, match=message):
        best_actions(space, committee, lambda rows: values[rows], everything(space, 3))


def test_nothing_eligible_is_refused_too() -> None:
    space, committee = space_of((2, 3)), committee_of((2, 3), 1, 2, seed=8)
    with pytest.raises(
        BadArray, match="2 of 4 best scores are not numbers, or nothing is eligible"
    ):
        best_actions(
            space,
            committee,
            lambda rows: np.ones((2, 1), "f4")[rows],
            Eligibility(options=np.array([[0, 7], [3, 7]])),
        )


def test_a_committee_keeps_what_is_the_same_for_everybody_if_it_is_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    space, known = space_of((3, 4, 5)), np.ones((6, 4), dtype=np.float32)
    committee = committee_of((3, 4, 5), 4, 3, seed=1)
    first = best_actions(space, committee, lambda rows: known[rows], everything(space, 6))
    (kept,) = committee.kept.values()
    again = best_actions(space, committee, lambda rows: known[rows], everything(space, 6))
    np.testing.assert_array_equal(first, again)
    assert list(committee.kept.values()) == [kept]
    monkeypatch.setattr(argmax, "KEPT_CELLS", 100)
    large = committee_of((3, 4, 5), 4, 3, seed=1)
    found = best_actions(space, large, lambda rows: known[rows], everything(space, 6))
    np.testing.assert_array_equal(first, found)
    assert large.kept == {}
