"""What is still to happen, by the sandbox's clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec

__all__ = ["Diary", "Schedule", "Target", "When"]

Target = tuple[int | None, str, dict[str, object]]  # user or None, how they were named, properties
Resolve = Callable[[], Iterable[Target]]
# Takes the targets, and ``at`` by its name.
Send = Callable[..., object]


class When(msgspec.Struct, frozen=True):
    """The ``schedule`` of a call, as sent."""

    time: str
    in_local_time: bool = False
    at_optimal_time: bool = False


@dataclass(slots=True, kw_only=True)
class Schedule:
    """One send for later. ``version`` grows when it is given another time."""

    schedule_id: str
    sender_id: str
    dispatch_id: str
    resolve: Resolve
    send: Send
    when: When
    version: int = 0


class Diary:
    """Entries in the order they are due; those of one moment in the order they were noted."""

    def __init__(self) -> None:
        self._entries: list[tuple[datetime, int, Callable[[], None]]] = []
        self._noted = 0

    def __len__(self) -> int:
        return len(self._entries)

    def note(self, due: datetime, act: Callable[[], None]) -> None:
        """Do this when the clock stands at ``due`` or later."""
        heapq.heappush(self._entries, (due, self._noted, act))
        self._noted += 1

    def take(self, now: datetime) -> tuple[datetime, Callable[[], None]] | None:
        """The next entry that is due, which is then taken out."""
        if not self._entries or self._entries[0][0] > now:
            return None
        due, _, act = heapq.heappop(self._entries)
        return due, act
