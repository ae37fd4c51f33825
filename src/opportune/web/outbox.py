"""Channels and outbox: how what leaves is doing, and the sends that need a person."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from opportune import activation, project
from opportune.activation import CHOICES, OPEN_STATES, WayOut
from opportune.project import Project
from opportune.web import pages
from opportune.web.asking import Asked, Moved, Shown

__all__ = ["outbox", "resolve"]

ADDRESS = "/outbox"
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
