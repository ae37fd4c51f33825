"""Ten million actions, and none that a rule, a forbidden combination or a cool-down bars."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from opportune import policies
from opportune.decisions import Constraints, Dimension, Forbidden, Option, UseCase, parts
from opportune.decisions.combinations import none_left

PROFILES = 1_000_000
# So many different sets of rules a day, among profiles that draw by themselves.
KINDS = 1_000
SIZES = (5, 3, 4)
FORBIDDEN = (
    {"d0": (0, 1), "d1": (2,)},
    {"d1": (0, 1), "d2": (3,)},
    {"d0": (4,), "d1": (1,), "d2": (0, 1, 2)},
)


@pytest.fixture
def case(use_case: Callable[..., UseCase]) -> UseCase:
    return use_case(
        dimensions=tuple(
            Dimension(
                name=f"d{d}",
                meaning="choice",
                options=tuple(Option(name=str(o), eligible=None) for o in range(size)),
            )
            for d, size in enumerate(SIZES)
        ),
        constraints=Constraints(
            forbidden=tuple(
                Forbidden(
                    options={d: tuple(map(str, named)) for d, named in each.items()}, when=None
                )
                for each in FORBIDDEN
            )
        ),
    )


def barred(
    actions: np.ndarray[tuple[int, int], np.dtype[np.int16]],
    options: np.ndarray[tuple[int, int], np.dtype[np.int64]],
    forbidden: np.ndarray[tuple[int], np.dtype[np.int64]],
    had: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> int:
    """How many actions break anything, said without the code that is tested."""
    bad = np.zeros(len(actions), dtype=bool)
    for d in range(len(SIZES)):
        bad |= options[:, d] & (1 << actions[:, d].astype(np.int64)) == 0
    for bit, each in enumerate(FORBIDDEN):
        has = np.ones(len(actions), dtype=bool)
        for name, named in each.items():
            has &= np.isin(actions[:, int(name[1:])], named)
        bad |= has & (forbidden & (1 << bit) != 0)
    bad |= actions[:, 0] * 12 + actions[:, 1] * 4 + actions[:, 2] == had
    return int(bad.sum())


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("days", "profiles"), [(1, 20_000), pytest.param(14, PROFILES, marks=pytest.mark.slow)]
)
def test_no_action_is_one_that_is_barred(case: UseCase, days: int, profiles: int) -> None:
    decided = 0
    for day in range(days):
        random = np.random.default_rng(day)
        kind = random.integers(0, KINDS, profiles)
        options = np.stack([random.integers(0, 1 << size, KINDS) for size in SIZES], axis=1)[kind]
        forbidden = random.integers(0, 8, KINDS)[kind]
        had = random.integers(-1, 60, KINDS)[kind]
        offsets = np.concatenate([[0], np.cumsum(had >= 0)]).astype(np.int32)
        recent = pa.ListArray.from_arrays(
            pa.array(offsets), pa.array(had[had >= 0]), mask=pa.array(had < 0)
        )
        empty = (options == 0).any(axis=1)
        without = empty | none_left(case, options, forbidden, recent)
        # Who is left out has nothing left: every action of theirs is barred.
        every = case.space.actions()
        left_out = np.flatnonzero(without)
        for action in every:
            tried = np.tile(action, (len(left_out), 1))
            broken = barred(tried, options[left_out], forbidden[left_out], had[left_out])
            assert broken == len(left_out)
        rows = np.flatnonzero(~without)
        columns = (options[rows], forbidden[rows], recent.take(pa.array(rows)))
        for some, eligible in parts(case, *columns):
            chance = policies.uniforms(f"x:{day}", rows[some])
            play = policies.Uniform(case.space).distribution(
                np.zeros((len(some), 0)), eligible, seed=1
            )
            actions = policies.draw(play, chance).actions
            here = rows[some]
            assert barred(actions, options[here], forbidden[here], had[here]) == 0
            decided += len(actions)
    assert decided > days * profiles * 0.72
