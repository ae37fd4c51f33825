"""Home and the list of use cases."""

from __future__ import annotations

from opportune import events, pipeline, profiles, project, reports
from opportune.project import Project
from opportune.reports import Performance
from opportune.web import bars, pages
from opportune.web.asking import Asked, Shown
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
    """Show the use cases, each with its answer and its lift."""
    defined = project.read(asked.stores.state)
    if not defined.use_cases:
        return Shown(body=pages.nothing_applied(frame=asked.frame))
    context = {"performances": _performances(asked, defined)}
    return Shown(body=pages.render("use_cases.html", asked.frame, context))


def _performances(asked: Asked, defined: Project) -> list[Performance]:
    return [
        reports.performance(asked.stores, each, defined.metric_of(each), now=asked.now)
        for each in defined.use_cases.values()
    ]
