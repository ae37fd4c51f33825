"""Home and the list of use cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from opportune import decisions, events, pipeline, profiles, project, reports
from opportune.decisions import UseCase
from opportune.project import Project
from opportune.reports import Performance
from opportune.web import bars, pages
from opportune.web.asking import Asked, Shown
from opportune.web.forest import forest
from opportune.web.health import troubles

__all__ = ["home", "use_cases"]


def home(asked: Asked) -> Shown:
    """Show what changed and what needs somebody: people, events, use cases, troubles."""
    defined = project.read(asked.stores.state)
    by_minute = events.minutes(asked.stores.state, now=asked.now)
    found = reports.health(asked.stores, now=asked.now)
    works = pipeline.somebody_ingests(asked.stores.settings)
    seen = events.seen_events(asked.stores.state, now=asked.now)
    if not defined.use_cases and not seen:
        start = pages.render("start.html", asked.frame, {"address": asked.address})
        return Shown(body=start)
    context = {
        "performances": _performances(asked, defined),
        "accepted": sum(each.accepted for each in by_minute),
        "refused": sum(each.rejected for each in by_minute),
        "day": sum(each.events_24h for each in seen),
        "kinds": len({each.event for each in seen}),
        "people": profiles.count_people(asked.stores.state),
        "segments": len(defined.segments),
        "trend": bars.trend(
            [each.accepted for each in by_minute], words="Messages in each minute of the last hour"
        ),
        "troubles": list(troubles(found, works=works)) if seen else [],
    }
    return Shown(body=pages.render("home.html", asked.frame, context))


def use_cases(asked: Asked) -> Shown:
    """Show the use cases: state, goal, audience, lift, spending and last run of each."""
    defined = project.read(asked.stores.state)
    if not defined.use_cases:
        return Shown(body=pages.nothing_applied(frame=asked.frame))
    found = _performances(asked, defined)
    rows = [_row(asked, defined.use_case(each.use_case), each) for each in found]
    context = {"rows": rows, "forest": forest(found), "answer": _answer(rows)}
    return Shown(body=pages.render("use_cases.html", asked.frame, context))


def _row(asked: Asked, use_case: UseCase, found: Performance) -> dict[str, object]:
    audience = decisions.audience_people(asked.stores.state, use_case.audience, use_case.minus)
    alone = len(use_case.audience) == 1 and not use_case.minus
    return {
        "performance": found,
        "state": "stopped" if found.stopped and use_case.decides else use_case.state,
        "audience": use_case.audience,
        "minus": use_case.minus,
        "people": audience.people,
        # The list of people takes one segment.
        "people_address": f"/people?segment={quote(use_case.audience[0])}" if alone else "",
    }


def _answer(rows: Sequence[Mapping[str, object]]) -> str:
    """Say how many use cases there are in each state."""
    counts = Counter(str(row["state"]) for row in rows)
    said = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    return f"{said}. Each is measured against its own control group."


def _performances(asked: Asked, defined: Project) -> list[Performance]:
    return [
        reports.performance(asked.stores, each, defined.metric_of(each), now=asked.now)
        for each in defined.use_cases.values()
    ]
