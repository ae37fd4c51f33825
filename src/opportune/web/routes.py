"""Which address shows which page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from opportune.storage import Stores
from opportune.web import (
    decision,
    decision_log,
    events,
    groups,
    health,
    home,
    messages,
    outbox,
    people,
    person,
    privacy,
    results,
    review,
    segments,
    signing_in,
    states,
    use_case_builder,
    use_cases,
    what_if,
)
from opportune.web.embed import embed_routes
from opportune.web.site import Site, View

__all__ = ["routes"]


SHOWN: Sequence[tuple[str, View]] = (
    ("/", home.home),
    ("/use-cases", use_cases.use_cases),
    ("/use-cases/{name}", results.performance),
    ("/use-cases/{name}/report.{form}", results.report),
    ("/use-cases/{name}/people", results.people),
    ("/use-cases/{name}/insights", results.insights),
    ("/use-cases/{name}/decisions", decision_log.decisions),
    ("/use-cases/{name}/decisions.csv", decision_log.as_csv),
    ("/use-cases/{name}/decisions.json", decision_log.as_json),
    ("/use-cases/{name}/health", results.health),
    ("/new-use-case", use_case_builder.new_use_case),
    ("/use-cases/{name}/edit", use_case_builder.change),
    ("/use-cases/{name}/state", states.state),
    ("/use-cases/{name}/timeline", results.timeline),
    ("/use-cases/{name}/what-if", what_if.what_if),
    ("/use-cases/{name}/groups", groups.groups),
    ("/use-cases/{name}/preview", messages.preview),
    ("/decisions/{id}", decision.decision),
    ("/live", events.live),
    ("/live/rows", events.live_rows),
    ("/live/catalogue", events.catalogue),
    ("/live/catalogue/{event:path}", events.catalogue_event),
    ("/live/rejected", events.rejected),
    ("/people", people.people),
    ("/people.csv", people.export),
    ("/people/{id}", person.person),
    ("/segments", segments.segment_list),
    ("/new-segment", segments.new_segment),
    ("/segments/{name}", segments.segment),
    ("/segments/{name}/edit", segments.change),
    ("/consent", privacy.consent_and_fields),
    ("/requests", privacy.requests),
    ("/requests/{id}", privacy.request),
    ("/outbox", outbox.outbox),
    ("/review", review.review),
    ("/health", health.health),
)
DONE: Sequence[tuple[str, View]] = (
    ("/live/rejected/replay", events.replay),
    ("/live/rejected/allow", events.allow),
    ("/people/views", people.keep_view),
    ("/people/views/drop", people.drop_view),
    ("/people/{id}/cut", person.cut),
    ("/people/{id}/restore", person.restore),
    ("/requests/export", privacy.export),
    ("/requests/erase", privacy.erase),
    ("/outbox/resolve", outbox.resolve),
    ("/review/decide", review.decide),
    ("/review/take-back", review.take_back),
    ("/segments/edit", segments.edited),
    ("/segments/preview", segments.preview),
    ("/segments/save", segments.save),
    ("/use-cases/check", use_case_builder.check),
    ("/use-cases/from-template", use_case_builder.from_template),
    ("/use-cases/save", use_case_builder.save),
    ("/use-cases/{name}/state", states.change_state),
    ("/use-cases/{name}/test-send", messages.test_send),
    ("/sign-out", signing_in.sign_out),
)


def _now() -> datetime:
    return datetime.now(UTC)


def routes(stores: Stores, *, clock: Callable[[], datetime] = _now) -> Sequence[BaseRoute]:
    """Return the routes of the pages, for the server that is composed of them.

    ``clock`` tells the time that a page is true for.
    """
    site = Site(stores, clock)
    return (
        Route("/sign-in", site.show(signing_in.sign_in, outside=True)),
        Route("/sign-in", site.act(signing_in.enter, outside=True), methods=["POST"]),
        *(Route(address, site.act(view), methods=["POST"]) for address, view in DONE),
        *(Route(address, site.show(view)) for address, view in SHOWN),
        *embed_routes(stores, clock=clock),
        Route("/favicon.ico", _favicon),
        Mount("/static", StaticFiles(packages=[("opportune.web", "static")])),
    )


def _favicon(_: Request) -> Response:
    return RedirectResponse("/static/favicon.svg", 308)
