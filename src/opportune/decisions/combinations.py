"""Which combinations of options each profile may get: what is forbidden, and what it had lately."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opportune import policies
from opportune.decisions.model import UseCase
from opportune.policies.eligible import MAX_PATTERN_CELLS

__all__ = ["breaking", "none_left", "parts", "quiet_options"]

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


def breaking(use_case: UseCase) -> Flags:
    """Which combinations break each forbidden one: ``(forbidden, C)``, as `ActionSpace.actions`."""
    actions = use_case.space.actions()
    broken = np.ones((len(use_case.constraints.forbidden), len(actions)), dtype=bool)
    for row, named in zip(broken, _named(use_case), strict=True):
        for d, options in named.items():
            row &= ((options >> actions[:, d].astype(np.int64)) & 1).astype(bool)
    return broken


def quiet_options(use_case: UseCase) -> Ints:
    """Bitmasks of the options of each dimension that no quiet hour bars: ``(D,)``.

    An hour is barred if any of its minutes is quiet.
    """
    quiet = use_case.constraints.quiet_hours
    masks = [(1 << len(each.options)) - 1 for each in use_case.dimensions]
    hour = use_case.place_of("hour")
    if quiet is not None and hour is not None:
        for o, option in enumerate(use_case.dimensions[hour].options):
            if not option.nothing and quiet.touches(int(option.name)):
                masks[hour] &= ~(1 << o)
    return np.array(masks, dtype=np.int64)


def none_left(use_case: UseCase, options: Ints, forbidden: Ints, recent: pa.Array) -> Flags:
    """Say who has eligible options and yet no combination of them left: ``(n,)``.

    ``options`` ``(n, D)``, ``forbidden`` ``(n,)`` and ``recent`` as in the snapshot.
    """
    # Each forbidden combination takes at most its own share: who has more is left with some.
    left = np.bitwise_count(options).prod(axis=1, dtype=np.float64)
    possible = left > 0
    for r, named in enumerate(_named(use_case)):
        share = np.ones(len(options))
        for d, count in enumerate(np.bitwise_count(options).T):
            meant = np.bitwise_count(options[:, d] & named[d]) if d in named else count
            share *= meant
        left -= share * ((forbidden >> r) & 1)
    left -= pc.fill_null(pc.list_value_length(recent), 0).to_numpy(zero_copy_only=False)
    doubtful = np.flatnonzero(possible & (left <= 0))
    found = np.zeros(len(options), dtype=bool)
    places = pa.array(doubtful)
    for rows, eligible in parts(
        use_case, options[doubtful], forbidden[doubtful], recent.take(places)
    ):
        found[doubtful[rows]] = eligible.counts(use_case.space) == 0
    return found


def parts(
    use_case: UseCase, options: Ints, forbidden: Ints, recent: pa.Array
) -> Iterator[tuple[Ints, policies.Eligibility]]:
    """Eligibility in parts, each with the rows it is of: one, unless patterns are too many.

    The same rows always make the same patterns, so that a propensity can be computed again.
    """
    lately = pc.fill_null(pc.list_value_length(recent), 0).to_numpy(zero_copy_only=False)
    every = np.arange(len(options), dtype=np.int64)
    if not forbidden.any() and not lately.any():
        yield every, policies.Eligibility(options=options)
        return
    first, pattern = _alike(forbidden, recent)
    broken = breaking(use_case)
    most = max(1, MAX_PATTERN_CELLS // use_case.space.combinations)
    for start in range(0, len(first), most):
        shown = first[start : start + most]
        rows = np.flatnonzero((pattern >= start) & (pattern < start + most))
        yield (
            rows,
            policies.Eligibility(
                options=options[rows],
                combinations=_allowed(broken, forbidden[shown], recent.take(pa.array(shown))),
                pattern=pattern[rows] - start,
            ),
        )


def _alike(forbidden: Ints, recent: pa.Array) -> tuple[Ints, Ints]:
    """The first row of each pattern, and the pattern of each row."""
    values, keys = np.unique(forbidden, return_inverse=True)
    if recent.null_count < len(recent):
        texts = pc.binary_join(pc.cast(recent, pa.list_(pa.string())), ",")
        lately = pc.fill_null(texts, "").dictionary_encode().indices.to_numpy()
        keys = keys + lately.astype(np.int64) * len(values)
    _, first, pattern = np.unique(keys, return_index=True, return_inverse=True)
    return first, pattern.astype(np.int64)


def _allowed(broken: Flags, forbidden: Ints, recent: pa.Array) -> Flags:
    allowed = np.ones((len(forbidden), broken.shape[1]), dtype=bool)
    for r, row in enumerate(broken):
        allowed[((forbidden >> r) & 1).astype(bool)] &= ~row
    lengths = pc.fill_null(pc.list_value_length(recent), 0).to_numpy(zero_copy_only=False)
    owners = np.repeat(np.arange(len(forbidden)), lengths)
    allowed[owners, pc.list_flatten(recent).to_numpy()] = False
    return allowed


def _named(use_case: UseCase) -> list[dict[int, np.int64]]:
    """The bits of the options that each forbidden combination names, by dimension."""
    found = []
    for each in use_case.constraints.forbidden:
        bits: dict[int, np.int64] = {}
        for d, dimension in enumerate(use_case.dimensions):
            named = each.options.get(dimension.name)
            if named is not None:
                meant = [option.name in named for option in dimension.options]
                bits[d] = np.int64(sum(1 << o for o, is_meant in enumerate(meant) if is_meant))
        found.append(bits)
    return found
