"""Tell rows apart by their digests, and count how often each came before."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opportune.events.deduplicate import Deduplicator
from opportune.files import UnusableFile

__all__ = ["Repeats"]

MOST_COUNTED = 5_000_000
ODD = np.uint64(0x9E3779B97F4A7C15)


class Repeats:
    """Which of the rows seen so far were equal.

    Digests are remembered as long as a `Deduplicator` does. ``each`` keeps the count of those that
    came more than once, and raises ``UnusableFile`` when these are too many; without it a later one
    is 1 or more.
    """

    def __init__(self, *, each: bool) -> None:
        self._each = each
        self._seen = Deduplicator()
        self._counts: dict[int, int] = {}

    def count(self, digests: pa.Array) -> NDArray[np.int64]:
        """Say of each of ``digests`` (n,), 32 hex digits each, how often it came before, (n,)."""
        found, inverse, counts = np.unique(
            _numbers(digests), return_inverse=True, return_counts=True
        )
        fresh = self._seen.fresh(found)
        before = np.where(fresh, 0, 1)
        if self._each:
            known = [self._counts.get(int(one), 1) for one in found[~fresh]]
            before[~fresh] = known
            self._keep(found, before + counts)
        self._seen.admit(found[fresh])
        if fresh.all() and len(found) == len(digests):
            return np.zeros(len(digests), dtype=np.int64)
        order = np.argsort(inverse, kind="stable")
        starts = np.cumsum(counts) - counts
        places = np.empty(len(digests), dtype=np.int64)
        places[order] = np.arange(len(digests)) - np.repeat(starts, counts)
        return np.asarray(before[inverse] + places, dtype=np.int64)

    def _keep(self, found: NDArray[np.int64], totals: NDArray[np.int64]) -> None:
        often = totals > 1
        self._counts.update(zip(found[often].tolist(), totals[often].tolist(), strict=True))
        if len(self._counts) > MOST_COUNTED:
            raise UnusableFile(
                [
                    f"more than {MOST_COUNTED} different rows come more than once: too many. "
                    "Name a column of ids with 'message_id', or set equal_rows = \"one\"."
                ]
            )


def _numbers(digests: pa.Array) -> NDArray[np.int64]:
    """Half of each digest's digits, as a number of 64 bits, (n,)."""
    whole = digests.cast(pa.binary()).cast(pa.binary(32))
    words = np.frombuffer(whole.buffers()[1], dtype=np.uint64, count=4 * len(whole))
    words = words.reshape(-1, 4)
    # Eight digits a word: an odd factor spreads those of one over all bits, for the other to fill.
    return np.asarray((words[:, 0] * ODD + words[:, 1]).view(np.int64))
