"""What became of messages to destinations: what waits, what was given up and can be sent again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from opportune.activation.channel import DESTINATION, channel_of
from opportune.activation.destination import Destination
from opportune.errors import NotFound
from opportune.storage import State, fetch, load_sql

__all__ = [
    "LETTERS_PAGE",
    "DeadLetter",
    "Traffic",
    "UnknownDeadLetter",
    "dead_letters",
    "resend",
    "traffic",
]

ROOM = "opportune.activation"
LETTERS_PAGE = 100
SHOWN = 3


class UnknownDeadLetter(NotFound):
    """None of the messages named is among what was given up."""

    code = "unknown_dead_letter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """How a destination is doing.

    Parameters
    ----------
    waiting:
        Messages that are to be sent, those that are tried again among them.
    under_way:
        Messages that were handed over just now, or whose answer never came.
    dead:
        Messages that were given up and can be sent again, but for those that were taken out since.
    oldest_waiting_at:
        Since when the oldest of ``waiting`` waits.
    troubles:
        Why messages wait that were tried before, the commonest reasons first.
    """

    waiting: int
    under_way: int
    sent: int
    dead: int
    oldest_waiting_at: datetime | None
    troubles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that was given up; ``sequence`` is its place among all."""

    sequence: int
    message_id: str
    type: str
    event: str | None
    profile_id: int
    reason: str
    attempts: int
    attempted_at: datetime | None
    due_at: datetime


def traffic(state: State, destinations: Iterable[Destination]) -> dict[str, Traffic]:
    """Return how each destination is doing, by name."""
    with state.transaction() as connection:
        facts = {"prefix": DESTINATION}
        states = fetch(connection, load_sql(ROOM, "destination_states"), facts)
        troubles = fetch(connection, load_sql(ROOM, "destination_troubles"), facts)
    counts = {(row["channel"], row["state"]): row["count"] for row in states}
    oldest = {row["channel"]: row["oldest_at"] for row in states if row["state"] == "pending"}
    found = {}
    for each in destinations:
        channel = channel_of(each.name)
        found[each.name] = Traffic(
            waiting=counts.get((channel, "pending"), 0),
            under_way=sum(counts.get((channel, open), 0) for open in ("reserved", "unknown")),
            sent=counts.get((channel, "sent"), 0),
            dead=counts.get((channel, "failed"), 0),
            oldest_waiting_at=oldest.get(channel),
            troubles=tuple(row["reason"] for row in troubles if row["channel"] == channel)[:SHOWN],
        )
    return found


def dead_letters(
    state: State, destination: Destination, *, after: int = 0, limit: int = LETTERS_PAGE
) -> list[DeadLetter]:
    """Return what was given up for ``destination``, the oldest first, from behind ``after`` on."""
    facts = {"channel": channel_of(destination.name), "after": after, "limit": limit}
    rows = state.rows(load_sql(ROOM, "dead_letters"), facts)
    return [DeadLetter(**{**row, "reason": row["reason"] or ""}) for row in rows]


def resend(
    state: State, destination: Destination, message_ids: Sequence[str] | None, *, now: datetime
) -> int:
    """Have messages sent that were given up, or all of them (None); return how many.

    Raises ``UnknownDeadLetter`` when messages are named and none of them was given up.
    """
    facts = {
        "channel": channel_of(destination.name),
        "every": message_ids is None,
        "message_ids": list(message_ids or ()),
        "now": now,
    }
    count: int = state.rows(load_sql(ROOM, "resend"), facts)[0]["count"]
    if message_ids is not None and not count:
        raise UnknownDeadLetter(
            f"None of the {len(message_ids)} messages named was given up for "
            f"'{destination.name}'. `opportune destinations dead-letters {destination.name}` lists "
            "those that were."
        )
    return count
