"""What a use case went through: versions with what changed, states, stops, and training runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import pairwise
from typing import Literal

from opportune.decisions import state_changes
from opportune.reports.versions import Version, versions
from opportune.storage import State, load_sql

__all__ = ["Incident", "UseCaseTimeline", "differences", "use_case_timeline"]

ROOM = "opportune.reports"
# A text longer than this says that it changed, not how.
LONGEST = 200
# That something of this name is there, whatever else is said of it.
THERE = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One thing that happened to a use case; ``by`` is who did it, "" where nobody is known.

    ``kind`` "stopped": by a guard rail. ``details`` are lines such as what changed of a version.
    """

    at: datetime
    kind: Literal["version", "state", "stopped", "resumed", "trained"]
    title: str
    by: str
    details: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCaseTimeline:
    """All that happened to a use case, the newest first; trainings of the policies still kept."""

    as_of: datetime
    use_case: str
    incidents: tuple[Incident, ...]


def use_case_timeline(state: State, use_case: str, *, now: datetime) -> UseCaseTimeline:
    """Return what happened to ``use_case`` until now, the newest first."""
    found = [
        *_versions(versions(state, use_case)),
        *_states(state, use_case),
        *_stops(state, use_case),
        *_trainings(state, use_case),
    ]
    found.sort(key=lambda each: (each.at, each.kind, each.title), reverse=True)
    return UseCaseTimeline(as_of=now, use_case=use_case, incidents=tuple(found))


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[str, ...]:
    """Say what changed between two definitions, a line for each key, in the order of the keys.

    >>> differences({"title": "A", "groups": {"control_share": 0.1}}, {"title": "B"})
    ('groups.control_share: 0.1 is gone', 'title: "A" → "B"')
    """
    old, new = dict(_flat("", before)), dict(_flat("", after))
    lines = []
    for key in sorted(old.keys() | new.keys()):
        if key not in old:
            lines.append(f"{key}{_said(new[key])} is new")
        elif key not in new:
            lines.append(f"{key}{_said(old[key])} is gone")
        elif old[key] != new[key]:
            lines.append(f"{key}{_said(old[key])} →{_said(new[key]).removeprefix(':')}")
    return tuple(lines)


def _flat(where: str, value: object) -> Iterator[tuple[str, object]]:
    """Every leaf with the place where it stands; what has a name stands under it, not its place."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(f"{where}.{key}" if where else str(key), inner)
    elif isinstance(value, list) and value and all(_name(each) for each in value):
        for each in value:
            yield f"{where}.{_name(each)}", THERE
            for key, inner in each.items():
                if key != "name":
                    yield from _flat(f"{where}.{_name(each)}.{key}", inner)
    else:
        yield where, value


def _name(value: object) -> str:
    named = value.get("name") if isinstance(value, Mapping) else None
    return named if isinstance(named, str) else ""


def _said(value: object) -> str:
    if value is THERE:
        return ""
    text = json.dumps(value, ensure_ascii=False)
    return f": {text}" if len(text) <= LONGEST else f": {text[:LONGEST]}…"


def _versions(every: tuple[Version, ...]) -> Iterator[Incident]:
    for first in every[:1]:
        yield Incident(
            at=first.applied_at,
            kind="version",
            title="Version 1 applied",
            by=first.applied_by,
            details=(),
        )
    for before, after in pairwise(every):
        changed = differences(before.body, after.body)
        yield Incident(
            at=after.applied_at,
            kind="version",
            title=f"Version {after.version} applied",
            by=after.applied_by,
            details=changed or ("what its success metric counts has changed",),
        )


def _states(state: State, use_case: str) -> Iterator[Incident]:
    for each in state_changes(state, use_case):
        yield Incident(
            at=each.changed_at,
            kind="state",
            title=f"State: {each.state}",
            by=each.changed_by,
            details=(),
        )


def _stops(state: State, use_case: str) -> Iterator[Incident]:
    for row in state.rows(load_sql(ROOM, "stops"), {"use_case": use_case}):
        yield Incident(
            at=row["stopped_at"],
            kind="stopped",
            title=f"Stopped by a guard rail on {row['day']}",
            by="",
            details=(row["reason"],),
        )
        if row["resumed_at"] is not None:
            yield Incident(
                at=row["resumed_at"],
                kind="resumed",
                title="Decides again",
                by=row["resumed_by"] or "",
                details=(),
            )


def _trainings(state: State, use_case: str) -> Iterator[Incident]:
    for row in state.rows(load_sql(ROOM, "trainings"), {"use_case": use_case}):
        through: date | None = row["trained_through"]
        learned = "nothing yet" if through is None else f"days through {through}"
        yield Incident(
            at=datetime.combine(row["day"], time(), UTC),
            kind="trained",
            title=f"Policy of {row['day']}, version {row['version']}",
            by="",
            details=(f"learned from {learned}",),
        )
