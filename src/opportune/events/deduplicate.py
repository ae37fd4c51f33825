"""Which messages are new: hashes of the message ids stored so far, kept in sorted generations."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opportune.storage import Lake

__all__ = ["PLAN_CODES", "Deduplicator", "hashes", "refused_hashes", "seed"]

# What a tracking plan refuses, it refuses with one of these.
PLAN_CODES = ("schema_violation", "unplanned")

# 8 bytes an id: 400 MB when full, a year at 1.5 events a second or 40 minutes at 20,000.
WINDOW_IDS = 50_000_000
GENERATIONS = 8


class Deduplicator:
    """The ids of the last ``window_ids`` messages, at least.

    Ids are remembered as 64-bit hashes (`hashes`) in sorted arrays, the newest last. Small arrays
    are merged as they grow, so there are few to search; the oldest is forgotten when the rest alone
    fill the window.
    """

    def __init__(self, *, window_ids: int = WINDOW_IDS) -> None:
        self._window_ids = window_ids
        self._generations: list[NDArray[np.int64]] = []

    def __len__(self) -> int:
        return sum(len(generation) for generation in self._generations)

    def fresh(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say of each hash in ``ids`` (n,) whether it is new, (n,); of equal ones the first is."""
        mask = np.zeros(len(ids), dtype=np.bool_)
        mask[np.unique(ids, return_index=True)[1]] = True
        for generation in self._generations:
            at = np.searchsorted(generation, ids)
            at[at == len(generation)] = 0
            mask &= generation[at] != ids
        return mask

    def admit(self, ids: NDArray[np.int64]) -> None:
        """Remember the hashes ``ids`` (n,), once their messages are stored."""
        if not len(ids):
            return
        self._generations.append(np.sort(ids))
        largest = max(1, self._window_ids // GENERATIONS)
        while len(self._generations) > 1:
            older, newer = self._generations[-2:]
            if len(older) > 2 * len(newer) or len(older) + len(newer) > largest:
                break
            merged = np.concatenate([older, newer])
            # A stable sort of two sorted runs is a merge.
            merged.sort(kind="stable")
            self._generations[-2:] = [merged]
        while len(self) - len(self._generations[0]) >= self._window_ids:
            del self._generations[0]


def hashes(message_ids: Iterable[str]) -> NDArray[np.int64]:
    """Hash each message id: the first 8 bytes of its blake2b, big-endian and signed, (n,)."""
    blake2b = hashlib.blake2b
    digests = [blake2b(text.encode(), digest_size=8).digest() for text in message_ids]
    return np.frombuffer(b"".join(digests), dtype=">i8").astype(np.int64)


def refused_hashes(message_ids: Iterable[str]) -> NDArray[np.int64]:
    """Hash the ids of messages that a tracking plan refused, (n,): not those of stored ones."""
    return hashes(f"refused\0{text}" for text in message_ids)


def seed(lake: Lake, *, window_ids: int = WINDOW_IDS) -> Deduplicator:
    """Remember the newest ids that ``lake`` holds, stored or refused (about 1 s a million)."""
    table = lake.read("events", columns=["message_id", "received_at_us"])
    newest = table.sort_by("received_at_us").slice(max(0, table.num_rows - window_ids))
    seen = Deduplicator(window_ids=window_ids)
    for batch in newest.to_batches(max_chunksize=1_000_000):
        seen.admit(hashes(batch["message_id"].to_pylist()))
    rejects = lake.read("rejects", columns=["message_id", "code"])
    by_plan = rejects.filter(pc.is_in(rejects["code"], value_set=pa.array(PLAN_CODES)))
    seen.admit(refused_hashes(by_plan["message_id"].to_pylist()[-window_ids:]))
    return seen
