"""Rate limits as Braze counts them: fixed windows aligned to the wall clock, per workspace."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from opportune.sandbox.model import Refused

__all__ = ["EMPTY_HEADERS", "Limiter", "RateLimited"]

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
        self._pools = {name: _Pool(limit, window_s) for name, (limit, window_s) in pools.items()}
        self._wall_clock = wall_clock
        self._retry_after_style = retry_after_style

    def draw(self, name: str) -> dict[str, str]:
        """Count one request and give the headers of its answer, or raise ``RateLimited``."""
        pool = self._current(name)
        if pool.used >= pool.limit:
            raise self.exceeded(name)
        pool.used += 1
        return self.headers(name)

    def headers(self, name: str) -> dict[str, str]:
        """The three headers as they stand, counting nothing."""
        pool = self._current(name)
        return {
            "X-RateLimit-Limit": str(pool.limit),
            "X-RateLimit-Remaining": str(pool.limit - pool.used),
            "X-RateLimit-Reset": str(pool.ends),
        }

    def exceeded(self, name: str) -> RateLimited:
        """The refusal of this pool, with the headers of the configured style."""
        if not self._retry_after_style:
            return RateLimited({**self.headers(name), "X-RateLimit-Remaining": "0"})
        wait_s = math.ceil(self._current(name).ends - self._wall_clock())
        return RateLimited({"X-Ratelimit-Retry-After": str(max(wait_s, 1))})

    def _current(self, name: str) -> _Pool:
        pool = self._pools[name]
        now = self._wall_clock()
        if now >= pool.ends:
            pool.ends = (int(now) // pool.window_s + 1) * pool.window_s
            pool.used = 0
        return pool
