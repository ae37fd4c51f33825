"""What people who were decided for could have got under another definition: options, rules, pairs.

Days that were lived through are judged by what the log kept of them. Only a rule that the log knows
nothing of is asked of what is known of people now.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opportune import profiles
from opportune.decisions.combinations import none_left, quiet_options
from opportune.decisions.model import Dimension, UseCase
from opportune.decisions.snapshot import audience_of, rules_of
from opportune.errors import InvalidInput
from opportune.storage import Stores

__all__ = ["Changed", "Lived", "NotComparable", "Possible", "changed_from", "possible"]

MOST_OPTIONS = 63

Ints = NDArray[np.int64]


class NotComparable(InvalidInput):
    """The log of one use case says nothing of the other: they do not choose the same things."""

    code = "not_comparable"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Changed:
    """One definition seen from the log of another.

    ``union`` is the changed one with every option of both, those of the log first. ``told`` has a
    column for each of its rules that the log knows nothing of, as they hold for people now, named
    as in a snapshot. ``audience``: ids in order; None: nobody else is meant than before.
    """

    before: UseCase
    changed: UseCase
    union: UseCase
    told: pa.Table
    audience: Ints | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lived:
    """n logged rows as the lake has them: masks ``(n, D)`` and bits ``(n,)`` of the log."""

    profile_ids: Ints
    options: Ints
    forbidden: Ints
    recent: pa.Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Possible:
    """The ``rows`` of n logged ones that have something left, and what: as of `Changed.union`.

    ``outside`` rows are of people who are not in the audience, ``without`` have no option left.
    """

    rows: Ints
    options: Ints
    forbidden: Ints
    recent: pa.Array
    outside: int
    without: int


def changed_from(stores: Stores, before: UseCase, changed: UseCase, *, now: datetime) -> Changed:
    """Set ``changed`` beside the definition ``before`` that a log was made by.

    Raises ``NotComparable`` unless both choose in the same dimensions.
    """
    union = _union(before, changed)
    asked = _asked_anew(before, union)
    told = pa.table({"profile_id": pa.array([], pa.int64())})
    if asked:
        found = rules_of(stores, union, now.date(), profiles.snapshot(stores.state))
        told = found.select(["profile_id", *asked])
    same = (before.audience, before.minus) == (changed.audience, changed.minus)
    ids = None if same else audience_of(stores.state, changed)["profile_id"].to_numpy()
    return Changed(before=before, changed=changed, union=union, told=told, audience=ids)


def possible(found: Changed, lived: Lived, *, day: date) -> Possible:
    """Say what the rows of ``day`` could have got under the changed definition."""
    inside = np.ones(len(lived.profile_ids), dtype=bool)
    if found.audience is not None:
        inside = np.isin(lived.profile_ids, found.audience)
    now = _Now(found.told, lived.profile_ids)
    options = _options(found, lived, now, day)
    forbidden = _forbidden(found, lived, now)
    recent = _recent(found, lived.recent)
    left = (options != 0).all(axis=1)
    left[left] &= ~none_left(
        found.union, options[left], forbidden[left], recent.take(pa.array(np.flatnonzero(left)))
    )
    rows = np.flatnonzero(inside & left)
    return Possible(
        rows=rows,
        options=options[rows],
        forbidden=forbidden[rows],
        recent=recent.take(pa.array(rows)),
        outside=int((~inside).sum()),
        without=int((inside & ~left).sum()),
    )


def _union(before: UseCase, changed: UseCase) -> UseCase:
    told = [(each.name, each.meaning) for each in changed.dimensions]
    logged = [(each.name, each.meaning) for each in before.dimensions]
    if told != logged:
        given, allowed = (
            ", ".join(f"{name} ({meaning})" for name, meaning in each) for each in (told, logged)
        )
        raise NotComparable(
            f"'{changed.name}' chooses in {given}; the log of '{before.name}' has {allowed}. Keep "
            "these dimensions, in this order, and change options, rules and limits."
        )
    dimensions = tuple(map(_both, before.dimensions, changed.dimensions))
    for each in dimensions:
        if len(each.options) > MOST_OPTIONS:
            raise NotComparable(
                f"Dimension '{each.name}' has {len(each.options)} options with those of the log of "
                f"'{before.name}'; at most {MOST_OPTIONS} can be compared. Change fewer of them."
            )
    return replace(changed, dimensions=dimensions)


def _both(before: Dimension, changed: Dimension) -> Dimension:
    """The options of both; one that is no more has no rule, as nobody may get it."""
    theirs = {each.name: each for each in changed.options}
    known = [theirs.get(each.name, replace(each, eligible=None)) for each in before.options]
    names = {each.name for each in before.options}
    new = [each for name, each in theirs.items() if name not in names]
    return replace(changed, options=(*known, *new))


def _asked_anew(before: UseCase, union: UseCase) -> list[str]:
    """The rules that the log cannot answer, by the column of a snapshot that would tell."""
    found = []
    for d, dimension in enumerate(union.dimensions):
        logged = before.dimensions[d].options
        for o, option in enumerate(dimension.options):
            is_known = o < len(logged) and logged[o].eligible == option.eligible
            if option.eligible is not None and not is_known:
                found.append(f"e{d}_{o}")
    for r, each in enumerate(union.constraints.forbidden):
        if each.when is not None and each not in before.constraints.forbidden:
            found.append(f"r{r}")
    return found


class _Now:
    """What rules say of the people of some rows now; of somebody unknown nothing holds."""

    def __init__(self, told: pa.Table, profile_ids: Ints) -> None:
        self._told = told
        self._place = pc.index_in(pa.array(profile_ids), value_set=told["profile_id"])

    def holds(self, name: str) -> Ints:
        """1 where the rule of this column holds: ``(n,)``."""
        found = pc.fill_null(self._told[name].take(self._place), False)
        return np.asarray(found.to_numpy(), dtype=np.int64)


def _options(found: Changed, lived: Lived, now: _Now, day: date) -> Ints:
    masks = np.zeros((len(lived.profile_ids), len(found.union.dimensions)), dtype=np.int64)
    loud = quiet_options(found.union).tolist()
    for d, dimension in enumerate(found.union.dimensions):
        logged = found.before.dimensions[d].options
        kept = {each.name for each in found.changed.dimensions[d].options}
        for o, option in enumerate(dimension.options):
            if option.name not in kept or not option.is_valid(day) or not (loud[d] >> o) & 1:
                continue
            if f"e{d}_{o}" in found.told.column_names:
                may: Ints | int = now.holds(f"e{d}_{o}")
            elif o < len(logged) and logged[o].eligible == option.eligible:
                may = (lived.options[:, d] >> o) & 1
            else:
                may = 1
            masks[:, d] |= np.asarray(may, dtype=np.int64) << o
    return masks


def _forbidden(found: Changed, lived: Lived, now: _Now) -> Ints:
    before = found.before.constraints.forbidden
    bits = np.zeros(len(lived.profile_ids), dtype=np.int64)
    for place, each in enumerate(found.union.constraints.forbidden):
        applies: Ints | int = 1
        if each in before:
            applies = (lived.forbidden >> before.index(each)) & 1
        elif each.when is not None:
            applies = now.holds(f"r{place}")
        bits |= np.asarray(applies, dtype=np.int64) << place
    return bits


def _recent(found: Changed, recent: pa.Array) -> pa.Array:
    """The same actions at their places among the combinations of the union."""
    before, union = found.before.space, found.union.space
    if before.sizes == union.sizes or recent.null_count == len(recent):
        return recent
    flat = union.codes(before.actions()[pc.list_flatten(recent).to_numpy()])
    lengths = pc.fill_null(pc.list_value_length(recent), 0).to_numpy(zero_copy_only=False)
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(ends, pa.array(flat, pa.int64()))
