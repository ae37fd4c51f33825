"""Which address shows which page, and what is shown when something is missing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import resources

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from opportune import project
from opportune.errors import NotFound, OpportuneError, Unavailable
from opportune.reports import performance
from opportune.storage import Stores
from opportune.web import pages
from opportune.web.embed import embed_routes
from opportune.web.pages import Frame
from opportune.web.truth import Truth, read_truth

__all__ = ["routes"]

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def _now() -> datetime:
    return datetime.now(UTC)


def routes(stores: Stores, *, clock: Callable[[], datetime] = _now) -> Sequence[BaseRoute]:
    """Return the routes of the pages, for the server that is composed of them.

    ``clock`` tells the time that a page is true for.
    """
    web = _Web(stores, clock)
    return (
        Route("/", web.home),
        Route("/use-cases/{name}", web.use_case),
        *embed_routes(stores, clock=clock),
        Route("/favicon.ico", _favicon),
        Mount("/static", StaticFiles(packages=[("opportune.web", "static")])),
    )


class _Web:
    """The pages over some stores; it remembers since when they could not be read."""

    def __init__(self, stores: Stores, clock: Callable[[], datetime]) -> None:
        self._stores = stores
        self._clock = clock
        self._down_since: datetime | None = None
        css = resources.files("opportune.web").joinpath("static", "app.css").read_bytes()
        self._style = hashlib.sha256(css).hexdigest()[:12]

    def home(self, _: Request) -> Response:
        """All use cases, or the result of the only one."""
        return self._page(self._home)

    def use_case(self, request: Request) -> Response:
        """The result of one use case."""
        name = request.path_params["name"]
        return self._page(lambda frame, truth: self._use_case(name, frame, truth))

    def _home(self, frame: Frame, truth: Truth | None) -> str:
        defined = project.read(self._stores.state)
        if not defined.use_cases:
            return pages.nothing_applied(frame=frame)
        if len(defined.use_cases) == 1:
            return self._use_case(next(iter(defined.use_cases)), frame, truth)
        reports = [
            performance(self._stores, each, defined.metric_of(each), now=frame.as_of)
            for each in defined.use_cases.values()
        ]
        return pages.home(reports, frame=frame)

    def _use_case(self, name: str, frame: Frame, truth: Truth | None) -> str:
        defined = project.read(self._stores.state)
        chosen = defined.use_case(name)
        report = performance(self._stores, chosen, defined.metric_of(chosen), now=frame.as_of)
        return pages.use_case(report, truth=truth, frame=frame)

    def _page(self, render: Callable[[Frame, Truth | None], str]) -> Response:
        truth = read_truth(self._stores.settings.data_folder)
        frame = Frame(as_of=self._clock(), demo=truth is not None, style=self._style)
        try:
            body = render(frame, truth)
        except OpportuneError as error:
            return self._problem(error, frame)
        self._down_since = None
        return HTMLResponse(body, headers=HEADERS)

    def _problem(self, error: OpportuneError, frame: Frame) -> Response:
        since: datetime | None = None
        if isinstance(error, Unavailable):
            self._down_since = since = self._down_since or frame.as_of
            status, title, message = 503, "The numbers cannot be read just now", error.message
        elif isinstance(error, NotFound):
            status, title, message = 404, "There is no such page", error.message
        else:
            # The message of a defect may hold a query; it is for the log.
            status, title = 500, "Something is wrong with this program"
            message = "This is not your fault. The log of the server says more."
        body = pages.problem(
            title=title, message=message, code=error.code, since=since, frame=frame
        )
        return HTMLResponse(body, status, headers=HEADERS)


def _favicon(_: Request) -> Response:
    return RedirectResponse("/static/favicon.svg", 308)
