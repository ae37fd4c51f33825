"""Channels and outbox: how what leaves is doing, and the sends that need a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from opportune import activation, project
from opportune.activation import CHOICES, OPEN_STATES, WayOut
from opportune.project import Project
from opportune.web import pages
from opportune.web.asking import Asked, Moved, Shown
from opportune.web.braze_look import look
from opportune.web.charts import swatch
from opportune.web.outbox_charts import OUTCOMES, accepted_and_sent, outcomes

__all__ = ["outbox", "resolve"]

ADDRESS = "/outbox"
CHART = "outcomes"
OUTCOME_DAYS = 30
WORDS = {"unknown": "ambiguous", "failed": "failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One use case's way out, with its name for people and how late it is."""

    way: WayOut
    title: str
    connector: str
    state: str
    late_s: float


def outbox(asked: Asked) -> Shown:
    """Show the ways out and, of one use case or all, the ambiguous and failed sends."""
    state, defined = asked.stores.state, project.read(asked.stores.state)
    names = list(defined.use_cases)
    chosen = asked.query.get("state")
    only = [each for each in names if each == asked.query.get("use_case")]
    before = asked.query.get("before")
    sends = activation.open_sends(
        state,
        only or names,
        states=(chosen,) if chosen in OPEN_STATES else OPEN_STATES,
        before=int(before) if before.isdecimal() and len(before) < 19 else None,
    )
    more = {"use_case": only[0] if only else "", "state": chosen}
    context = {
        "lines": _lines(asked, defined),
        "destinations": activation.traffic(state, defined.destinations.values()),
        "windows": activation.rate_windows(state),
        "sends": sends,
        "titles": {name: each.title for name, each in defined.use_cases.items()},
        "choices": CHOICES,
        **_over_time(asked, names),
        **_braze(asked, defined),
        "words": WORDS,
        "chosen": chosen if chosen in OPEN_STATES else "",
        "only": only[0] if only else "",
        "next": (
            f"{ADDRESS}?{urlencode({**more, 'before': sends[-1].sequence})}"
            if len(sends) == activation.SENDS_PAGE
            else ""
        ),
    }
    return Shown(body=pages.render("outbox.html", asked.frame, context))


def _over_time(asked: Asked, names: list[str]) -> dict[str, object]:
    first = asked.now.date() - timedelta(days=OUTCOME_DAYS - 1)
    days = activation.outcomes_by_day(asked.stores.state, names, first=first)
    return {
        "outcome_days": list(reversed(days)),
        "outcome_names": OUTCOMES,
        "outcome_chart": outcomes(days, chart=CHART) if days else "",
        "outcome_legend": [(swatch(CHART, place), name) for place, name in enumerate(OUTCOMES)],
    }


def _braze(asked: Asked, defined: Project) -> dict[str, object]:
    """What the page says of Braze: who sends through it, and of one of them what it answers."""
    name = asked.query.get("look")
    found = look(asked, defined, name) if name else None
    counted = None if found is None else found.counted
    return {
        "through_braze": [
            each for each in defined.use_cases.values() if each.activation.connector == "braze"
        ],
        "look": found,
        "counted_chart": ""
        if counted is None
        else accepted_and_sent(counted.days, chart="counted"),
    }


def _lines(asked: Asked, defined: Project) -> list[Line]:
    """Give each use case's way out what the page says beside it."""
    lines = []
    for way in activation.ways_out(asked.stores.state, list(defined.use_cases), now=asked.now):
        use_case, since = defined.use_cases[way.use_case], way.oldest_due_at
        late_s = 0.0 if since is None else (asked.now - since).total_seconds()
        lines.append(
            Line(
                way=way,
                title=use_case.title,
                connector=use_case.activation.connector,
                state=use_case.state,
                late_s=late_s,
            )
        )
    return lines


def resolve(asked: Asked) -> Moved:
    """Note what a button says about one send. Raises ``UnknownSend``, ``InvalidChoice``."""
    key, choice = asked.form.get("key"), asked.form.get("choice")
    activation.choose(asked.stores.state, [key], choice, by=asked.by, now=asked.now)
    return Moved(to=f"{ADDRESS}#sends")
