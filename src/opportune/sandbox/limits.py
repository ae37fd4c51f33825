"""Rate limits as Braze counts them: fixed windows aligned to the wall clock, per workspace."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from opportune.sandbox.model import Refused

__all__ = ["EMPTY_HEADERS", "POOLS", "Limiter", "RateLimited"]

POOLS: Mapping[str, tuple[int, int]] = {  # requests, and seconds of a window, as documented
    "default": (250_000, 3600),
    "broadcast": (250, 60),
    "broadcast audience": (10, 60),
    "track": (3000, 3),
    "export": (250, 60),
    "export light": (40, 1),
    "identity": (20_000, 60),
    "series": (50_000, 60),
    "send ids": (100, 86_400),
}

MAX_POOLS = 10_000
EMPTY_HEADERS = {"X-RateLimit-Limit": "", "X-RateLimit-Remaining": "", "X-RateLimit-Reset": ""}


class RateLimited(Refused):
    """The pool of this call is used up until its window ends."""

    code = "rate_limited"

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__("Rate limit exceeded", status=429)
        self.headers = headers


@dataclass(slots=True)
class _Pool:
    """``used`` requests of ``limit`` in the window that ends at ``ends`` (epoch seconds)."""

    limit: int
    window_s: int
    ends: int = 0
    used: int = 0


class Limiter:
    """One counter a pool. ``pools`` maps a name to (requests, window in seconds)."""

    def __init__(
        self,
        pools: Mapping[str, tuple[int, int]],
        *,
        wall_clock: Callable[[], float],
        retry_after_style: bool,
    ) -> None:
        self.sizes = dict(pools)
        self._pools: dict[str, _Pool] = {}
        self._wall_clock = wall_clock
        self._retry_after_style = retry_after_style

    def draw(self, name: str, of: str = "") -> dict[str, str]:
        """Count one request and give the headers of its answer, or raise ``RateLimited``.

        ``of`` counts apart within the pool, as broadcasts do by their audience.
        """
        pool = self._current(name, of)
        if pool.used >= pool.limit:
            raise self.exceeded(name, of)
        pool.used += 1
        return self.headers(name, of)

    def headers(self, name: str, of: str = "") -> dict[str, str]:
        """The three headers as they stand, counting nothing."""
        pool = self._current(name, of)
        in_seconds = self._retry_after_style and name == "track"
        reset = max(math.ceil(pool.ends - self._wall_clock()), 1) if in_seconds else pool.ends
        return {
            "X-RateLimit-Limit": str(pool.limit),
            "X-RateLimit-Remaining": str(pool.limit - pool.used),
            "X-RateLimit-Reset": str(reset),
        }

    def exceeded(self, name: str, of: str = "") -> RateLimited:
        """The refusal of this pool, with the headers of the configured style."""
        if not self._retry_after_style:
            return RateLimited({**self.headers(name, of), "X-RateLimit-Remaining": "0"})
        wait_s = math.ceil(self._current(name, of).ends - self._wall_clock())
        return RateLimited({"X-Ratelimit-Retry-After": str(max(wait_s, 1))})

    def resize(self, sizes: Mapping[str, tuple[int, int]]) -> None:
        """Give pools another size; their windows begin anew."""
        self.sizes |= sizes
        self._pools.clear()

    def used(self) -> dict[str, int]:
        """How many requests of the running window each pool has counted."""
        return {name: self._current(name, "").used for name in self.sizes}

    def _current(self, name: str, of: str) -> _Pool:
        key = f"{name}\0{of}"
        pool = self._pools.get(key)
        if pool is None:
            if len(self._pools) >= MAX_POOLS:
                self._pools.clear()
            pool = self._pools[key] = _Pool(*self.sizes[name])
        now = self._wall_clock()
        if now >= pool.ends:
            pool.ends = (int(now) // pool.window_s + 1) * pool.window_s
            pool.used = 0
        return pool
