"""Over HTTP: the whole report of a use case, in the form that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query
from starlette.responses import Response

from opportune import project, reports
from opportune.reports import Results, TabReport
from opportune.storage import Stores

__all__ = ["report_routes"]

MEDIA = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "html": "text/html; charset=utf-8",
}


def report_routes(
    application: FastAPI,
    stores: Stores,
    *,
    clock: Callable[[], datetime],
    missing: Mapping[int | str, dict[str, Any]],
    page: Callable[[Results | TabReport], bytes] | None,
) -> None:
    """Add the route of reports; ``page`` writes one as HTML, None: this server has no pages."""

    @application.get("/use-cases/{name}/report", response_class=Response, responses=dict(missing))
    def report(
        name: str,
        form: Annotated[Literal["json", "csv", "parquet", "html"], Query(alias="format")] = "json",
        rolling: Literal["1", "7", "30"] = "1",
        tab: Literal["performance", "insights", "health", "timeline"] = "performance",
        segment: str = "",
    ) -> Response:
        """Report what a use case earned, or what another tab shows, as a document or a file."""
        defined = project.read(stores.state)
        chosen = defined.use_case(name)
        days = reports.check_rolling(int(rolling))
        metric = defined.metric_of(chosen)
        if tab != "performance":
            told = reports.tab_report(stores, chosen, metric, tab, now=clock(), segment=segment)
            as_page = form == "html" and page is not None
            body = page(told) if as_page and page else reports.tab_file(told, form)
            return Response(body, media_type=MEDIA[form])
        found = reports.results(
            stores, chosen, metric, now=clock(), rolling=days, metrics=defined.metrics
        )
        if form == "html" and page is not None:
            return Response(page(found), media_type=MEDIA[form])
        return Response(reports.report_file(found, form), media_type=MEDIA[form])
