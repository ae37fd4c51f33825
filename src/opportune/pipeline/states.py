"""Let a use case decide, decide in shadow, or pause: with what waits to be sent of it."""

from __future__ import annotations

from datetime import datetime

from opportune import activation, decisions
from opportune.storage import Stores

__all__ = ["change_state"]


def change_state(stores: Stores, use_case: str, to: str, *, by: str, now: datetime) -> bool:
    """Put ``use_case`` into the state ``to``; False where it is in it. Safe at any moment.

    What waits to be sent is held from the moment that it is not live, and is sent after all where
    it is live again within the hour: before that, whatever is later than that is given up.
    """
    if to == "live":
        before = decisions.states(stores.state).get(use_case)
        if before is not None and before.state != "live":
            activation.cancel_held(stores.state, [use_case], now=now)
    return decisions.change_state(stores.state, use_case, to, by=by, now=now)
