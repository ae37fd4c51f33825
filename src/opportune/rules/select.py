"""Cut a profile's events at a sequence, to look at what came before it or after it."""

from __future__ import annotations

from typing import Literal

from opportune.rules.chains import chains
from opportune.rules.model import Event, Facts, Sequence
from opportune.rules.past import past_of

__all__ = ["Keep", "select"]

Keep = Literal["everyone", "before", "after"]


def select(sequence: Sequence, facts: Facts, *, keep: Keep = "everyone") -> tuple[Event, ...]:
    """Return those of the profile's events to look at; none if the sequence did not happen.

    ``everyone`` keeps them all; ``before`` those up to the first event of the last time the
    sequence happened; ``after`` those from the last event of the first time it happened.

    >>> from datetime import UTC, datetime
    >>> from opportune.rules import parse
    >>> events = tuple(
    ...     Event(event=name, occurred_at_us=at, message_id=name, properties={})
    ...     for at, name in enumerate("ABCDEF")
    ... )
    >>> facts = Facts(now=datetime(2026, 3, 1, tzinfo=UTC), events=events)
    >>> rule = parse({"sequence": [{"event": "B"}, {"event": "D"}]}, where="rule")
    >>> "".join(each.event for each in select(rule, facts, keep="after"))
    'DEF'
    """
    past = past_of(facts)
    found = chains(sequence, past)
    if not found:
        return ()
    if keep == "before":
        return past.events[: max(chain.first for chain in found) + 1]
    if keep == "after":
        return past.events[min(chain.last for chain in found) :]
    return past.events
