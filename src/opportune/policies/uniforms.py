"""The only source of randomness: a hash, so that nothing depends on order, batch or machine."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["seed", "uniforms"]


def uniforms(key: str | Sequence[str], profile_ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give every profile its own number in [0, 1) for this key, or for its own: ``(n,)`` float64.

    ``splitmix64(profile_id ^ blake2b(key))``, the 64-bit finaliser of Steele, Lea and Flood
    (2014), on the first 8 bytes (big endian) of the key's BLAKE2b-8 digest. The upper 53 bits
    fill a double exactly, so every value is a multiple of 2^-53 and there is no modulo bias.
    The same key and id give the same number for ever: stored decisions depend on it.

    >>> uniforms("welcome:20260101", np.array([1, 2])).round(6).tolist()
    [0.726608, 0.203275]
    """
    seeds = [seed(key)] if isinstance(key, str) else [seed(each) for each in key]
    state = profile_ids.astype(np.int64).view(np.uint64) ^ np.array(seeds, dtype=np.uint64)
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state = state ^ (state >> np.uint64(31))
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def seed(key: str) -> int:
    """Give a policy its seed for this key: the first 8 bytes (big endian) of its BLAKE2b-8 digest.

    >>> seed("welcome:20260101")
    5638224681091385346
    """
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
