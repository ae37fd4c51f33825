"""What changed while a use case ran, to be seen beside what it earned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date

from opportune.reports.use_case_timeline import Incident

__all__ = ["Mark", "marks"]

CHAMPION = "groups.champion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something that changed on ``day``; ``by`` is who did it, "" where nobody is known.

    ``kind``: "version", "champion" (a version with another one), "state", "stopped", "resumed".
    """

    day: date
    kind: str
    title: str
    by: str


def marks(incidents: Sequence[Incident], days: Sequence[date]) -> tuple[Mark, ...]:
    """Return the changes among ``incidents`` between the first and the last of ``days``, in order.

    Training runs are none: they happen every day.
    """
    if not days:
        return ()
    found = [
        Mark(
            day=each.at.astimezone(UTC).date(),
            kind="champion" if _is_champion(each) else each.kind,
            title=f"{each.title}, with another champion" if _is_champion(each) else each.title,
            by=each.by,
        )
        for each in reversed(incidents)
        if each.kind != "trained"
    ]
    return tuple(each for each in found if days[0] <= each.day <= days[-1])


def _is_champion(incident: Incident) -> bool:
    return incident.kind == "version" and any(
        line.startswith(CHAMPION) for line in incident.details
    )
