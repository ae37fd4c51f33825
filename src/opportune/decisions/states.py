"""What a use case may do: nothing yet (draft), decide and not send (shadow), everything, nothing.

The state is beside the definition and no part of its versions: a change makes nothing anew, and
holds from the next thing that is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from opportune.decisions.model import STATES
from opportune.errors import Conflict, InvalidInput
from opportune.storage import Connection, State, fetch, load_sql

__all__ = [
    "InvalidState",
    "StateChange",
    "UseCaseNotDeciding",
    "change_state",
    "note_state",
    "state_changes",
    "states",
]

ROOM = "opportune.decisions"
MOST_CHANGES = 500


class InvalidState(InvalidInput):
    """What is no state was to be the state of a use case."""

    code = "invalid_state"


class UseCaseNotDeciding(Conflict):
    """A use case that is a draft or paused was asked to decide."""

    code = "use_case_not_deciding"


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """A use case is in ``state`` since ``changed_at``; ``changed_by`` is who said so."""

    use_case: str
    state: str
    changed_at: datetime
    changed_by: str


def states(state: State) -> Mapping[str, StateChange]:
    """Return the state of each use case that was ever told one; every other one is live."""
    return {row["use_case"]: StateChange(**row) for row in state.rows(load_sql(ROOM, "states"))}


def state_changes(state: State, use_case: str) -> tuple[StateChange, ...]:
    """Return how the state of ``use_case`` changed, the newest first, at most 500."""
    facts = {"use_case": use_case, "most": MOST_CHANGES}
    rows = state.rows(load_sql(ROOM, "state_changes"), facts)
    return tuple(StateChange(**row) for row in rows)


def change_state(state: State, use_case: str, to: str, *, by: str, now: datetime) -> bool:
    """Let ``use_case`` be "draft", "shadow", "live" or "paused" from now on; False if it is.

    Raises ``InvalidState``. Of two changes at the same time, the later one holds.
    """
    if to not in STATES:
        raise InvalidState(f"{to!r} given as a state, must be one of {', '.join(STATES)}.")
    with state.transaction() as connection:
        return note_state(connection, use_case, to, by=by, now=now)


def note_state(
    connection: Connection, use_case: str, to: str, *, by: str | None, now: datetime
) -> bool:
    """Like `change_state`, within a transaction. ``by`` None: its definition says so.

    What a definition says counts when it says something else than before: a state that somebody
    chose since then is not taken back by applying the same definition again.
    """
    facts = {
        "use_case": use_case,
        "state": to,
        "now": now,
        "by": by or "definition",
        "by_definition": by is None,
    }
    fetch(connection, load_sql(ROOM, "lock_states"))
    return bool(fetch(connection, load_sql(ROOM, "change_state"), facts))
