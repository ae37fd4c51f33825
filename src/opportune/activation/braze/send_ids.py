"""An id for each day's sends of a use case, by which Braze counts them apart from all others.

A workspace may make 100 a day, so one is made only on a day on which something is to be sent.
Where Braze gives none, sends go out without: it is for counting alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from hashlib import blake2b

from opportune.activation.braze.ask import BrazeForbidden, BrazeRefused, Workspace
from opportune.storage import State, load_sql

__all__ = ["name_of", "send_id", "send_ids"]

ROOM = "opportune.activation"
LONGEST = 64
PREFIX = "opportune-"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    send_id: str


def send_id(
    state: State, workspace: Workspace, use_case: str, campaign_id: str, *, now: datetime
) -> str:
    """Return the id of what is sent on the day of ``now`` (UTC), made where something is due.

    "" where nothing is, and where the key may not make one, or Braze refuses: then it is not asked
    again that day. Raises ``BrazeUnavailable`` or ``UnreadableAnswer``; the same id is asked for
    again then, so that nothing is made twice.
    """
    day = now.date()
    facts = {"use_case": use_case, "campaign_id": campaign_id, "day": day, "now": now}
    (known,) = state.rows(load_sql(ROOM, "send_id_needed"), facts)
    if known["is_known"] or not known["is_needed"]:
        found: str = known["send_id"]
        return found
    asked = {"campaign_id": campaign_id, "send_id": name_of(use_case, day)}
    try:
        made = workspace.post("/sends/id/create", asked, _Made, repeatable=True).send_id
    except (BrazeForbidden, BrazeRefused):
        made = ""
    state.rows(load_sql(ROOM, "keep_send_id"), facts | {"send_id": made})
    return made


def send_ids(state: State, use_case: str, campaign_id: str, *, since: date) -> dict[date, str]:
    """Return the ids of the days from ``since`` on that have one, the oldest first."""
    facts = {"use_case": use_case, "campaign_id": campaign_id, "since": since}
    return {row["day"]: row["send_id"] for row in state.rows(load_sql(ROOM, "send_ids"), facts)}


def name_of(use_case: str, day: date) -> str:
    """Name a day's sends, in no more than 64 characters.

    >>> name_of("win_back", date(2026, 3, 1))
    'opportune-win_back-20260301'
    """
    name = f"{PREFIX}{use_case}-{day:%Y%m%d}"
    if len(name) <= LONGEST:
        return name
    return f"{PREFIX}{blake2b(use_case.encode(), digest_size=16).hexdigest()}-{day:%Y%m%d}"
