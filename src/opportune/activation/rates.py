"""How many calls may be made now: what the receiver's answers say, else the connector's limit."""

from __future__ import annotations

from collections.abc import Iterable

from opportune.activation.channel import Channel
from opportune.activation.model import Answer, Window, Windowed
from opportune.storage import Connection, State, fetch, load_sql

__all__ = ["NO_LIMIT", "calls_left", "keep_window", "newest_window", "take"]

ROOM = "opportune.activation"
NO_LIMIT = 2**31 - 1


def calls_left(connection: Connection, channel: Channel) -> int:
    """Return how many calls the receiver takes now by its own word; ``NO_LIMIT``: it said nothing.

    Until the transaction ends, nobody else takes of the same.
    """
    if not isinstance(channel.connector, Windowed):
        return NO_LIMIT
    rows = fetch(connection, load_sql(ROOM, "window_room"), {"name": channel.bucket})
    if not rows:
        return NO_LIMIT
    left: int = rows[0]["remaining" if rows[0]["is_open"] else "calls"]
    return max(0, left)


def take(connection: Connection, channel: Channel, calls: int) -> bool:
    """Count ``calls`` that are about to be made; False: they may not be.

    By the receiver's own window where its answers tell of one. Otherwise by a bucket: half an
    hour's allowance at once and half spread over it never exceed a clock hour's.
    """
    if isinstance(channel.connector, Windowed):
        facts = {"name": channel.bucket, "calls": calls}
        fetch(connection, load_sql(ROOM, "take_calls"), facts)
        return True
    half = channel.connector.calls_per_hour / 2
    capacity = max(1.0, half)
    tokens = {
        "name": channel.bucket,
        "tokens": min(calls, capacity),
        "capacity": capacity,
        "per_second": half / 3600,
    }
    return bool(fetch(connection, load_sql(ROOM, "take_tokens"), tokens))


def keep_window(state: State, channel: Channel, answers: Iterable[Answer]) -> None:
    """Keep what ``answers`` said of the receiver's window, for the next reservation."""
    if not isinstance(channel.connector, Windowed):
        return
    window = newest_window(channel.connector, answers)
    if window is not None:
        facts = {
            "name": channel.bucket,
            "calls": window.calls,
            "remaining": window.remaining,
            "resets_in_s": window.resets_in_s,
        }
        state.rows(load_sql(ROOM, "keep_window"), facts)


def newest_window(connector: Windowed, answers: Iterable[Answer]) -> Window | None:
    """Return what the answers of one batch say together: the least that is left of the last window.

    A refusal beside calls that were taken does not say that nothing is left; alone it does.
    """
    taken: list[Window] = []
    refused: list[Window] = []
    for answer in answers:
        window = connector.window(answer)
        if window is not None:
            (refused if answer.status == 429 else taken).append(window)
    said = taken or refused
    if not said:
        return None
    ends = max(each.resets_at_s for each in said)
    # Answers a second apart may differ by one in when the same window ends.
    last = [each for each in said if each.resets_at_s > ends - 1]
    return min(last, key=lambda each: each.remaining)
