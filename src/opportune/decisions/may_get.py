"""Who of an audience may get which option: asked before a use case starts, nothing is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opportune.decisions.combinations import parts
from opportune.decisions.model import UseCase
from opportune.decisions.snapshot import known_of
from opportune.storage import Stores

__all__ = ["MayGet", "OptionMayGet", "may_get"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionMayGet:
    """One option: ``profiles`` may get it in some allowed combination.

    ``decisions``: how many of them get it on one day if every allowed combination is played with
    the same probability, control included.
    """

    dimension: str
    option: str
    profiles: int
    decisions: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MayGet:
    """The audience of a day: how many profiles, who of them may get any action, and which options.

    ``profile_ids``: ``(n,)`` of those who may get any, in order; ``held_back``: how many may get
    none by the reason (see ``REASONS``).
    """

    audience: int
    profile_ids: Ints
    held_back: dict[str, int]
    options: tuple[OptionMayGet, ...]


def may_get(stores: Stores, use_case: UseCase, day: date, known: pa.Table) -> MayGet:
    """Judge the audience of ``use_case`` as the run of ``day`` would, and count its options.

    ``known`` has the columns of ``profiles.SNAPSHOT``.
    """
    columns, judged = known_of(stores, use_case, day, known)
    able = np.flatnonzero(pc.is_null(judged.reason).to_numpy(zero_copy_only=False))
    reasons = pc.value_counts(judged.reason.drop_null()).to_pylist()
    held_back = {each["values"]: each["counts"] for each in reasons}
    shares = _shares(
        use_case, judged.options[able], judged.forbidden[able], judged.recent.take(pa.array(able))
    )
    return MayGet(
        audience=columns.num_rows,
        profile_ids=columns["profile_id"].to_numpy()[able],
        held_back=dict(sorted(held_back.items(), key=lambda each: (-each[1], each[0]))),
        options=tuple(
            OptionMayGet(dimension=names[0], option=names[1], profiles=count, decisions=total)
            for names, count, total in shares
        ),
    )


def _shares(
    use_case: UseCase, options: Ints, forbidden: Ints, recent: pa.Array
) -> Iterator[tuple[tuple[str, str], int, float]]:
    """Each option with who may get it, and the sum of its shares of their allowed combinations."""
    space = use_case.space
    for d, dimension in enumerate(use_case.dimensions):
        for o, option in enumerate(dimension.options):
            worth = [np.zeros(size) for size in space.sizes]
            worth[d][o] = 1.0
            played = np.zeros(len(options))
            for rows, eligible in parts(use_case, options, forbidden, recent):
                played[rows] = eligible.mean(space, worth)
            yield (dimension.name, option.name), int((played > 0).sum()), float(played.sum())
