"""Ask a rule that is still being written: how many it holds for, and a few of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from opportune import rules
from opportune.errors import nearest
from opportune.events import create_tables
from opportune.rules import InvalidRule
from opportune.segments.model import OWN_EVENTS, Segment
from opportune.segments.refresh import ask, everyone
from opportune.segments.show import hint
from opportune.storage import Stores, load_sql

__all__ = ["Preview", "Sampled", "preview"]

ROOM = "opportune.segments"
SAMPLE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """One whom the rule holds for; the hint is of an identifier."""

    profile_id: int
    hint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a rule comes to now.

    ``share`` is of all profiles. The sample is the same each time: those with the smallest ids,
    which are as good as drawn at random. ``moves_by_time``: members may change though nothing
    happens. ``notes`` name events that never came, with the nearest that did.
    """

    size: int
    share: float
    sample: tuple[Sampled, ...]
    words: str
    moves_by_time: bool
    notes: tuple[str, ...]


def preview(
    stores: Stores, body: Mapping[str, object], segments: Mapping[str, Segment], *, now: datetime
) -> Preview:
    """Ask the rule as written in ``body`` of all profiles, in bulk, and keep nothing.

    Raises ``InvalidRule`` with every mistake.
    """
    rule = rules.parse(body, where="rule")
    used = rules.uses(rule)
    problems = [
        f"rule: no segment '{part[:100]}'. {nearest(part, segments)}"
        for part in sorted(used.segments - segments.keys())
    ]
    problems += [
        f"rule: '{event}' is said by segments themselves. Ask {{segment = \"NAME\"}} instead."
        for event in sorted(used.events & set(OWN_EVENTS))
    ]
    if problems:
        raise InvalidRule(problems)
    create_tables(stores.lake)
    known = everyone(stores.state)
    found = ask(stores, rule, known, now=now)["profile_id"]
    ids = found.slice(0, SAMPLE).to_pylist()
    rows = stores.state.rows(load_sql(ROOM, "hints_of"), {"profiles": ids})
    reach = rules.reach(rule)
    return Preview(
        size=len(found),
        share=len(found) / known.num_rows if known.num_rows else 0.0,
        sample=tuple(
            Sampled(profile_id=row["profile_id"], hint=hint(row["identifier"])) for row in rows
        ),
        words=rules.words(rule),
        moves_by_time=any(after for _, after in reach.after_events)
        or bool(reach.after_traits or reach.after_properties),
        notes=tuple(_notes(stores, used.events)),
    )


def _notes(stores: Stores, events: Iterable[str]) -> Iterator[str]:
    seen = [row["event"] for row in stores.state.rows(load_sql(ROOM, "event_names"))]
    for event in sorted(set(events) - set(seen)):
        close = difflib.get_close_matches(event, seen, n=1)
        said = f" Did you mean '{close[0]}'?" if close else ""
        yield f"No event '{event}' has come so far.{said}"
