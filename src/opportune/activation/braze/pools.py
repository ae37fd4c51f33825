"""The rate limits of Braze: which calls share one, and how long one is closed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from opportune.activation.connectors.braze_answers import wait_s
from opportune.activation.model import Answer

__all__ = ["Pools", "pool_of"]

DEFAULT = "default"
POOLS: Mapping[str, str] = {
    "/users/track": "track",
    "/users/export/ids": "export",
    "/users/delete": "identities",
    "/users/alias/new": "identities",
    "/users/alias/update": "identities",
    "/users/identify": "identities",
    "/users/merge": "identities",
    "/sends/id/create": "send ids",
    "/campaigns/data_series": "series",
}
RATE_LIMITED = 429


def pool_of(path: str) -> str:
    """Name the limit that a call of ``path`` counts against, its query left aside.

    >>> pool_of("/users/track"), pool_of("/segments/list?page=1")
    ('track', 'default')
    """
    return POOLS.get(path.partition("?")[0], DEFAULT)


class Pools:
    """When each pool of one workspace may be asked again. Safe to use from several threads.

    ``clock`` counts seconds from any start. What the headers say is believed: a pool with nothing
    remaining is closed until its window ends. Empty or unreadable headers say nothing.
    """

    __slots__ = ("_clock", "_lock", "_open_at")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._open_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait_s(self, path: str) -> float:
        """Seconds until ``path`` may be asked; 0 when it may be now."""
        with self._lock:
            return max(0.0, self._open_at.get(pool_of(path), 0.0) - self._clock())

    def note(self, path: str, answer: Answer) -> None:
        """Learn from the headers of ``answer``; an answer that never came tells nothing."""
        remaining = {name.lower(): text.strip() for name, text in answer.headers.items()}.get(
            "x-ratelimit-remaining"
        )
        if answer.status != RATE_LIMITED and remaining != "0":
            return
        closed_s = wait_s(answer.headers)
        if closed_s is not None:
            with self._lock:
                self._open_at[pool_of(path)] = self._clock() + closed_s
