"""Sends that need a person: no answer ever came, or they failed; and what the person decides."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from opportune.activation.enqueue import NO_CONSENT
from opportune.activation.resolve import CHOICES
from opportune.errors import InvalidInput, NotFound, nearest
from opportune.storage import State, load_sql

__all__ = [
    "OPEN_STATES",
    "SENDS_PAGE",
    "InvalidChoice",
    "OpenSend",
    "UnknownSend",
    "choose",
    "open_sends",
]

ROOM = "opportune.activation"
SENDS_PAGE = 100
OPEN_STATES = ("unknown", "failed")
# Who said no is not asked again by a button.
REFUSED = (NO_CONSENT, "consent_withdrawn", "the person was forgotten")
NO_END = 2**63 - 1


class UnknownSend(NotFound):
    """None of the sends named is ambiguous or failed, or their people refused them."""

    code = "unknown_send"


class InvalidChoice(InvalidInput):
    """What was decided about a send is none of the three."""

    code = "invalid_choice"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSend:
    """A send whose answer never came ("unknown"), or that failed.

    Parameters
    ----------
    sequence:
        Its place among all; the next page begins before it.
    key:
        The id of its decision.
    properties:
        What was to be sent, as JSON text.
    choice, chosen_by:
        What somebody decided and the worker has yet to carry out, and who it was.
    evidence:
        "seen" or "aborted" where engagement has told; the worker has yet to put it down.
    """

    sequence: int
    key: str
    use_case: str
    day: date
    profile_id: int
    user_id: str
    properties: str
    state: str
    reason: str
    attempts: int
    attempted_at: datetime | None
    due_at: datetime
    choice: str | None
    chosen_by: str | None
    evidence: str | None


def open_sends(
    state: State,
    use_cases: Collection[str],
    *,
    states: Sequence[str] = OPEN_STATES,
    before: int | None = None,
    limit: int = SENDS_PAGE,
    undecided: bool = False,
) -> list[OpenSend]:
    """Return the sends of ``use_cases`` that are ambiguous or failed, the newest first.

    ``before``: those of the next page. ``undecided`` leaves out what the worker is about to settle.
    """
    facts = {
        "use_cases": list(use_cases),
        "states": list(states),
        "before": NO_END if before is None else before,
        "limit": limit,
        "undecided": undecided,
    }
    return [OpenSend(**row) for row in state.rows(load_sql(ROOM, "open_sends"), facts)]


def choose(state: State, keys: Sequence[str], choice: str, *, by: str, now: datetime) -> list[str]:
    """Note what ``by`` decided about sends, and return the keys that it goes for.

    Of an ambiguous send "went_out", "send_again" or "give_up", carried out by the worker; one that
    failed can only be sent again, and only if its person did not refuse. Engagement that shows that
    a send went out counts more than what is decided here. Raises ``InvalidChoice``, and
    ``UnknownSend`` when it goes for none of them.
    """
    if choice not in CHOICES:
        raise InvalidChoice(
            f"{choice!r} cannot be decided about a send; it must be one of {', '.join(CHOICES)}. "
            f"{nearest(choice, CHOICES)}"
        )
    facts = {"keys": list(keys), "choice": choice, "by": by, "now": now, "refused": list(REFUSED)}
    found = [row["key"] for row in state.rows(load_sql(ROOM, "choose"), facts)]
    if not found:
        raise UnknownSend(
            f"None of the {len(keys)} sends named can be decided about like this: 'unknown' ones "
            "can, and 'failed' ones can be sent again unless their people refused. "
            "`opportune sends list` shows them."
        )
    return found
