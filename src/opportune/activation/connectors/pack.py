"""Fill calls with messages, what is of one profile in one call and in its order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from opportune.activation.model import Send

__all__ = ["Pack", "pack"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """The messages of one call as they stand in its body, and their keys."""

    keys: tuple[str, ...]
    texts: tuple[bytes, ...]


def pack(sends: Sequence[Send], *, most: int, room: int) -> list[Pack]:
    """Put every send into exactly one pack of at most ``most`` and, with a byte between, ``room``.

    Calls are made side by side, so a profile's messages share one as long as they fit into any. A
    message that is larger than all the room gets a pack of its own.
    """
    packs: list[list[tuple[str, bytes]]] = []
    used = 0
    for group in _by_profile(sends):
        size = sum(len(text) + 1 for _, text in group)
        fits = packs and len(packs[-1]) + len(group) <= most and used + size <= room
        if not fits:
            packs.append([])
            used = 0
        for key, text in group:
            if packs[-1] and (len(packs[-1]) == most or used + len(text) + 1 > room):
                packs.append([])
                used = 0
            packs[-1].append((key, text))
            used += len(text) + 1
    return [
        Pack(keys=tuple(key for key, _ in each), texts=tuple(text for _, text in each))
        for each in packs
    ]


def _by_profile(sends: Sequence[Send]) -> Iterable[list[tuple[str, bytes]]]:
    groups: dict[int, list[tuple[str, bytes]]] = {}
    for send in sends:
        groups.setdefault(send.profile_id, []).append((send.key, (send.message or "{}").encode()))
    return groups.values()
