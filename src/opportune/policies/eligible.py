"""Which actions each profile may get, and checks of arrays that come from outside the room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from opportune.policies.errors import BadArray, NothingEligible
from opportune.policies.space import ActionSpace

if TYPE_CHECKING:
    from opportune.policies.tally import Alike, Counted

__all__ = ["MAX_PATTERN_CELLS", "Eligibility", "everything", "require_actions", "require_eligible"]

MAX_PATTERN_CELLS = 1 << 28
"""Most cells of a table of combinations that patterns allow: a quarter of a gigabyte."""

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Eligibility:
    """The actions that n profiles may get.

    ``options``: ``(n, D)`` int64 bitmasks of the eligible options of each dimension. Some
    combinations of eligible options may be forbidden: then ``combinations`` is ``(P, C)`` bool,
    the allowed ones of each of P patterns in the order of `ActionSpace.actions`, and ``pattern``
    ``(n,)`` int64 says which pattern holds for a profile. An action is eligible if each of its
    options is and its pattern allows it.

    >>> from opportune.policies import ActionSpace, Dimension
    >>> channel = Dimension(name="channel", options=("email", "push"))
    >>> hour = Dimension(name="hour", options=("09", "18"))
    >>> space = ActionSpace(dimensions=(channel, hour))
    >>> by_option = Eligibility(options=np.array([[0b01, 0b11], [0b11, 0b11]]))
    >>> by_mask = Eligibility.of_combinations(space, np.array([[1, 1, 1, 0]], dtype=bool))
    >>> by_option.counts(space).tolist(), by_mask.counts(space).tolist()
    ([2.0, 4.0], [3.0])
    """

    options: Ints
    combinations: Flags | None = None
    pattern: Ints | None = None

    def __post_init__(self) -> None:
        if (self.combinations is None) != (self.pattern is None):
            raise BadArray("Give combinations and pattern together, or neither.")

    def __len__(self) -> int:
        return len(self.options)

    @classmethod
    def of_combinations(cls, space: ActionSpace, allowed: Flags) -> Eligibility:
        """From a mask ``(n, C)`` over the combinations, in the order of `ActionSpace.actions`."""
        if allowed.ndim != 2 or allowed.shape[1] != space.combinations:
            raise BadArray(
                f"A mask over combinations has shape {allowed.shape}; allowed is (profiles, "
                f"{space.combinations})."
            )
        patterns, pattern = np.unique(allowed.astype(bool), axis=0, return_inverse=True)
        masks = np.zeros((len(patterns), len(space.sizes)), dtype=np.int64)
        for d, bits in enumerate((1 << space.actions().astype(np.int64)).T):
            masks[:, d] = np.bitwise_or.reduce(np.where(patterns, bits, 0), axis=1)
        pattern = pattern.reshape(-1).astype(np.int64)
        return cls(options=masks[pattern], combinations=patterns, pattern=pattern)

    def take(self, rows: Ints | slice) -> Eligibility:
        """The same for some of the profiles."""
        pattern = None if self.pattern is None else self.pattern[rows]
        return Eligibility(
            options=self.options[rows], combinations=self.combinations, pattern=pattern
        )

    def allows(self, space: ActionSpace, actions: NDArray[np.int16]) -> Flags:
        """Whether each row's action ``(n, D)`` is eligible: ``(n,)``."""
        bits = (self.options >> actions.astype(np.int64)) & 1
        chosen = np.asarray(bits.all(axis=1))
        if self.combinations is None or self.pattern is None:
            return chosen
        return np.asarray(chosen & self.combinations[self.pattern, space.codes(actions)])

    def counts(self, space: ActionSpace) -> NDArray[np.float64]:
        """How many actions each profile may get: ``(n,)``."""
        if self.combinations is None:
            return np.asarray(np.bitwise_count(self.options).prod(axis=1, dtype=np.float64))
        return self._walked(space, np.empty(0))[0]

    def option_counts(self, space: ActionSpace, actions: NDArray[np.int16]) -> NDArray[np.float64]:
        """How many eligible actions have the option of ``actions`` ``(n, D)``: ``(n, D)``."""
        chosen = self.options & (np.int64(1) << actions.astype(np.int64))
        if self.combinations is None:
            each = np.bitwise_count(self.options).astype(np.float64)
            others = each.prod(axis=1, keepdims=True) / np.maximum(each, 1.0)
            return np.asarray((chosen != 0) * others)
        counts = np.empty(actions.shape)
        for d in range(len(space.sizes)):
            options = self.options.copy()
            options[:, d] = chosen[:, d]
            counts[:, d] = replace(self, options=options).counts(space)
        return counts

    def at(self, space: ActionSpace, shares: NDArray[np.float64]) -> NDArray[np.int16]:
        """The eligible action ``(n, D)`` at this share of the way, ``(n,)`` in [0, 1), through
        all that are, in the order of `ActionSpace.actions`.

        For profiles that have one.

        >>> from opportune.policies import ActionSpace, Dimension
        >>> space = ActionSpace(dimensions=(Dimension(name="hour", options=("09", "13", "18")),))
        >>> eligible = Eligibility(options=np.array([[0b111], [0b101]]))
        >>> eligible.at(space, np.array([0.4, 0.9])).tolist()
        [[1], [2]]
        """
        if self.combinations is None:
            return _option_by_option(self.options, shares)
        return self._walked(space, shares)[1]

    def mean(self, space: ActionSpace, values: Sequence[Ints] | Sequence[Floats]) -> Floats:
        """What an eligible action is worth on average, an option being worth ``values[d][o]``.

        For profiles that have one: ``(n,)``.

        >>> from opportune.policies import ActionSpace, Dimension
        >>> space = ActionSpace(dimensions=(Dimension(name="hour", options=("09", "13", "18")),))
        >>> eligible = Eligibility(options=np.array([[0b111], [0b101]]))
        >>> eligible.mean(space, [np.array([1.0, 2.0, 6.0])]).tolist()
        [3.0, 3.5]
        """
        if self.combinations is None:
            total = np.zeros(len(self))
            for d, each in enumerate(values):
                bits = (self.options[:, d, None] >> np.arange(len(each))) & 1
                total += (bits * each).sum(axis=1) / bits.sum(axis=1)
            return total
        from opportune.policies.tally import add_up

        group, alike, counted = self._counted(space)
        table = np.zeros((len(values), max(space.sizes)))
        for row, each in zip(table, values, strict=True):
            row[: len(each)] = each
        means = np.empty(len(alike.masks))
        add_up(counted, alike, self.combinations, table, means)
        return np.asarray(means[group])

    def alike(self, space: ActionSpace) -> Iterator[tuple[Ints, Flags]]:
        """Rows of equal eligibility, with the combinations ``(C,)`` that they may get."""
        _, rows, bounds = self._groups()
        actions = space.actions().astype(np.int64)
        for start, end in pairwise(bounds):
            first = rows[start]
            allowed = np.asarray(((self.options[first] >> actions) & 1).all(axis=1))
            if self.combinations is not None and self.pattern is not None:
                allowed &= self.combinations[self.pattern[first]]
            yield rows[start:end], allowed

    def _walked(
        self, space: ActionSpace, shares: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int16]]:
        """Counts, and with shares the actions, where patterns hold."""
        from opportune.policies.tally import walk

        group, alike, counted = self._counted(space)
        counts = np.empty(len(alike.masks))
        actions = np.zeros((len(shares), len(space.sizes)), dtype=np.int16)
        walk(counted, alike, cast("Flags", self.combinations), counts, shares, actions)
        return counts[group], actions

    def _counted(self, space: ActionSpace) -> tuple[Ints, Alike, Counted]:
        """The group of each profile, the groups, and room to count in, where patterns hold."""
        from opportune.policies.tally import Alike, Counted

        group, rows, bounds = self._groups()
        first = rows[bounds[:-1]]
        alike = Alike(
            masks=np.ascontiguousarray(self.options[first]),
            pattern=cast("Ints", self.pattern)[first],
            rows=rows,
            bounds=bounds,
        )
        sizes = np.array(space.sizes, dtype=np.int64)
        starts = np.concatenate([[0], np.cumsum(np.cumprod([1, *sizes[:-1]]))]).astype(np.int64)
        counted = Counted(sizes=sizes, starts=starts, left=np.zeros(starts[-1], dtype=np.int64))
        return group, alike, counted

    def _groups(self) -> tuple[Ints, Ints, Ints]:
        """Profiles of equal eligibility: the group of each, all by group, where groups start.

        Groups are sorted by pattern, then by masks from the last dimension to the first.
        """
        group = np.zeros(len(self), dtype=np.int64)
        patterns = [] if self.pattern is None else [self.pattern]
        for column in (*patterns, *self.options.T[::-1]):
            values, places = np.unique(column, return_inverse=True)
            _, group = np.unique(group * len(values) + places, return_inverse=True)
        bounds = np.concatenate([[0], np.cumsum(np.bincount(group))]).astype(np.int64)
        return group, np.argsort(group, kind="stable"), bounds


def _option_by_option(eligible: Ints, shares: NDArray[np.float64]) -> NDArray[np.int16]:
    actions = np.empty(eligible.shape, dtype=np.int16)
    rest = shares
    for d in range(eligible.shape[1]):
        scaled = rest * np.bitwise_count(eligible[:, d])
        rank = np.floor(scaled)
        rest = scaled - rank
        actions[:, d] = _nth_option(eligible[:, d], rank.astype(np.int64))
    return actions


def _nth_option(masks: Ints, ranks: Ints) -> NDArray[np.int16]:
    """The index of the rank-th set bit of each mask."""
    found = np.zeros(len(masks), dtype=np.int16)
    seen = np.zeros(len(masks), dtype=np.int64)
    for option in range(int(masks.max(initial=0)).bit_length()):
        here = (masks >> option) & 1
        found[(here == 1) & (seen == ranks)] = option
        seen += here
    return found


def everything(space: ActionSpace, profiles: int) -> Eligibility:
    """Every combination for every profile; the masks are a read-only view."""
    return Eligibility(options=np.broadcast_to(space.full, (profiles, len(space.sizes))))


def require_eligible(space: ActionSpace, eligible: Eligibility) -> None:
    """Refuse what does not fit the space or leaves a profile without an action.

    Every policy calls this first.

    >>> from opportune.policies import ActionSpace, Dimension
    >>> space = ActionSpace(dimensions=(Dimension(name="channel", options=("email", "push")),))
    >>> require_eligible(space, Eligibility(options=np.array([[1], [0]])))
    Traceback (most recent call last):
    ...
    opportune.policies.errors.NothingEligible: No option of dimension 'channel' is eligible for \
1 of 2 profiles. Make one eligible, for example a fallback option, or leave these profiles out.
    """
    options = eligible.options
    if options.ndim != 2 or options.shape[1] != len(space.dimensions):
        raise BadArray(
            f"Eligibility has shape {options.shape}; allowed is (profiles, "
            f"{len(space.dimensions)}): one bitmask per profile and dimension."
        )
    if ((options <= 0) | (options > space.full)).any():
        _refuse_options(space, options)
    if eligible.combinations is not None and eligible.pattern is not None:
        _require_patterns(space, eligible, eligible.combinations, eligible.pattern)


def _refuse_options(space: ActionSpace, options: Ints) -> NoReturn:
    without = (options == 0).sum(axis=0)
    if without.any():
        worst = int(without.argmax())
        raise NothingEligible(
            f"No option of dimension '{space.dimensions[worst].name}' is eligible for "
            f"{without[worst]} of {len(options)} profiles. Make one eligible, for example a "
            "fallback option, or leave these profiles out."
        )
    dimension = space.dimensions[int((options & ~space.full).any(axis=0).argmax())]
    raise BadArray(
        f"Eligibility of dimension '{dimension.name}' has bits beyond its "
        f"{len(dimension.options)} options. Allowed are 1 to "
        f"{(1 << len(dimension.options)) - 1}."
    )


def _require_patterns(
    space: ActionSpace, eligible: Eligibility, combinations: Flags, pattern: Ints
) -> None:
    patterns = len(combinations)
    if combinations.shape != (patterns, space.combinations) or pattern.shape != (len(eligible),):
        raise BadArray(
            f"Combinations have shape {combinations.shape} and pattern {pattern.shape}; allowed "
            f"are (patterns, {space.combinations}) and ({len(eligible)},)."
        )
    if combinations.size > MAX_PATTERN_CELLS:
        raise BadArray(
            f"{patterns} patterns of {space.combinations} combinations were given; together at "
            f"most {MAX_PATTERN_CELLS} cells are allowed. Merge rules, or drop options."
        )
    if len(pattern) and not 0 <= pattern.min() <= pattern.max() < patterns:
        raise BadArray(
            f"Patterns from {pattern.min()} to {pattern.max()} were given; allowed are 0 to "
            f"{patterns - 1}."
        )
    without = int((eligible.counts(space) == 0).sum())
    if without:
        raise NothingEligible(
            f"Every combination of eligible options is forbidden for {without} of "
            f"{len(eligible)} profiles. Allow one, for example a fallback, or leave these "
            "profiles out."
        )


def require_actions(space: ActionSpace, actions: NDArray[np.int16]) -> None:
    """Refuse actions ``(n, D)`` with option indices that the space does not have."""
    if actions.ndim != 2 or actions.shape[1] != len(space.dimensions):
        raise BadArray(
            f"Actions have shape {actions.shape}; allowed is (rows, {len(space.dimensions)})."
        )
    outside = ((actions < 0) | (actions >= np.array(space.sizes))).any(axis=0)
    if outside.any():
        dimension = space.dimensions[int(outside.argmax())]
        raise BadArray(
            f"Actions name an option of dimension '{dimension.name}' that does not exist; "
            f"allowed are the indices 0 to {len(dimension.options) - 1}."
        )
