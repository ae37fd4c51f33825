"""The segments that follow every event, and what they read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from opportune import rules
from opportune.segments.model import Segment, parse_segment
from opportune.segments.references import in_order
from opportune.storage import Connection, fetch, load_sql

__all__ = ["Watch", "WatchReader", "Watched"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A segment that is followed; ``level`` is above that of every segment it is made of.

    ``filling``: its members are still being found in bulk, and nobody else asks its rule.
    """

    name: str
    version: int
    rule: rules.Rule
    uses: rules.Uses
    reach: rules.Reach
    level: int
    filling: bool

    def looks_at(self, event: str) -> bool:
        """Say whether an event of that name may change the answer."""
        return self.uses.every_event or event in self.uses.events

    @property
    def properties(self) -> Mapping[str, frozenset[str]]:
        """What is read of each event."""
        names = {event for event, _ in self.uses.properties}
        return {
            name: frozenset(each for event, each in self.uses.properties if event == name)
            for name in names
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """All segments that are followed, by name, each after its parts."""

    segments: Mapping[str, Watched] = field(default_factory=dict)

    @property
    def live(self) -> list[str]:
        """The segments whose members are kept up to date."""
        return [name for name, each in self.segments.items() if not each.filling]

    @property
    def every_event(self) -> bool:
        """Whether events of any name are kept."""
        return any(each.uses.every_event for each in self.segments.values())

    @property
    def events(self) -> frozenset[str]:
        """The names of events that some rule asks for."""
        return frozenset(name for each in self.segments.values() for name in each.uses.events)

    def properties(self) -> dict[str, tuple[str, ...]]:
        """Return the properties to keep of each event that has any."""
        found: dict[str, set[str]] = {}
        for each in self.segments.values():
            for event, names in each.properties.items():
                found.setdefault(event, set()).update(names)
        return {event: tuple(sorted(names)) for event, names in sorted(found.items())}

    def low_us(self, event: str, now_us: int) -> int | None:
        """Return since when events of that name are kept; None: for ever."""
        lows_us = [
            each.reach.low_us(event, now_us)
            for each in self.segments.values()
            if each.looks_at(event)
        ]
        found = [low_us for low_us in lows_us if low_us is not None]
        return min(found) if found and len(found) == len(lows_us) else None

    def above(self, names: Iterable[str]) -> list[str]:
        """Return the segments that are made of one of these."""
        parts = frozenset(names)
        return [name for name, each in self.segments.items() if each.uses.segments & parts]


class WatchReader:
    """Reads which segments are followed again and again, and parses only what changed."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] | None = None
        self._watch = Watch()

    def read(self, connection: Connection) -> Watch:
        """Return what is followed now: the same object until something changed."""
        rows = fetch(connection, load_sql("opportune.segments", "live_segments"))
        key = tuple((row["segment"], row["version"], row["filled_at"]) for row in rows)
        if key != self._key:
            bodies = fetch(connection, load_sql("opportune.segments", "live_bodies"))
            self._watch = _watch(bodies)
            self._key = key
        return self._watch


def _watch(rows: Iterable[Mapping[str, object]]) -> Watch:
    return Watch(segments=MappingProxyType(dict(_watched(rows))))


def _watched(rows: Iterable[Mapping[str, object]]) -> Iterator[tuple[str, Watched]]:
    found = {}
    known = {}
    for row in rows:
        segment = parse_segment(str(row["segment"]), row["body"], [])  # type: ignore[arg-type]  # a JSON object
        if segment is not None:
            found[segment.name] = segment
            known[segment.name] = row
    levels: dict[str, int] = {}
    for name in in_order(sorted(_whole(found)), found):
        used = rules.uses(found[name].rule)
        levels[name] = 1 + max((levels[part] for part in used.segments), default=-1)
        yield (
            name,
            Watched(
                name=name,
                version=int(str(known[name]["version"])),
                rule=found[name].rule,
                uses=used,
                reach=rules.reach(found[name].rule),
                level=levels[name],
                filling=known[name]["filled_at"] is None,
            ),
        )


def _whole(segments: Mapping[str, Segment]) -> set[str]:
    """Return the segments whose parts are all there."""
    whole = set(segments)
    while missing := {
        name for name in whole if not rules.uses(segments[name].rule).segments <= whole
    }:
        whole -= missing
    return whole
