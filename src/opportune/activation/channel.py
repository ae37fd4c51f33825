"""How rows of the outbox reach their receiver: a use case's activation, or a destination."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from opportune.activation.model import Answer, Connector, Request

__all__ = ["CALLS_AT_ONCE", "DESTINATION", "Channel", "Patience", "channel_of"]

CALLS_AT_ONCE = 8
# Three calls one after the other on each connection: time enough for the next round to be worth it.
CALLS_A_BATCH = 3 * CALLS_AT_ONCE
# What the outbox calls a destination; no use case's name has a slash.
DESTINATION = "destination/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """When a row that was not taken is given up: after so many tries, or so long after its event.

    A refusal that says when to come back is no try, but its time passes, too.
    """

    attempts: int
    age: timedelta

    def is_over(self, *, attempts: int, due_at: datetime, now: datetime) -> bool:
        """Say whether a row that has been tried ``attempts`` times is not tried again."""
        return attempts >= self.attempts or now - due_at >= self.age


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One way out: ``call`` makes a request and never raises.

    Parameters
    ----------
    name:
        What the rows of the outbox name: a use case, or ``DESTINATION`` and a destination's name.
    config:
        What the connector is told with every batch.
    settle_s:
        Seconds after which the receiver can say what became of a call that it did not answer.
        Longer than any call may take, or a call still under way is taken for one never made.
    patience:
        When to give up; None never does.
    settled:
        Hears of calls once their outcome is committed.
    audience:
        The segments that a person must be in when sent to, and those that one must not be in; None:
        nobody looks again.
    schedules, alone:
        Whether the receiver is to hold what waits for its time, and each send by itself.
    """

    name: str
    connector: Connector
    config: Mapping[str, str]
    call: Callable[[Request], Answer]
    settle_s: float
    patience: Patience | None = None
    settled: Callable[[Sequence[Request]], None] = field(default=lambda _: None)
    audience: tuple[Sequence[str], Sequence[str]] | None = None
    schedules: bool = False
    alone: bool = False

    @property
    def is_destination(self) -> bool:
        """Whether rows carry messages, which leave in order and do not come back as events."""
        return self.name.startswith(DESTINATION)

    @property
    def bucket(self) -> str:
        """Who shares the connector's calls: all its use cases, but no two destinations."""
        return f"send:{self.name if self.is_destination else self.connector.name}"

    @property
    def batch(self) -> int:
        """How many rows are reserved at once: enough to keep every connection busy for a while."""
        allowed = int(self.connector.calls_per_hour / 2)
        return self.connector.batch_size * max(1, min(CALLS_A_BATCH, allowed))


def channel_of(destination: str) -> str:
    """Return what the outbox calls a destination.

    >>> channel_of("crm")
    'destination/crm'
    """
    return f"{DESTINATION}{destination}"
