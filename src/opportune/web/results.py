"""The results of one use case: a tab each for what it earned, chose, delivered and went through."""

from __future__ import annotations

from collections.abc import Mapping

from opportune import project, reports
from opportune.decisions import UseCase
from opportune.project import Project
from opportune.reports import Results
from opportune.web import pages
from opportune.web.asking import Asked, Download, Frame, Shown
from opportune.web.forest import segment_lines

__all__ = [
    "health",
    "insights",
    "people",
    "performance",
    "report",
    "report_page",
    "tab_of",
    "timeline",
]

PAGE = 50
MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}


def performance(asked: Asked) -> Shown:
    """Show what the use case earned."""
    report = _results(asked)
    context = {"head": report.performance, "results": report, "truth": asked.truth}
    return Shown(body=pages.render("use_case.html", asked.frame, context))


def people(asked: Asked) -> Shown:
    """Show the profiles that a card of the report counts."""
    defined, chosen = _chosen(asked)
    page = asked.query.page(most=1_000_000)
    variant = asked.query.get("variant", "treatment")
    found = reports.earners(
        asked.stores, chosen, variant, now=asked.now, first=(page - 1) * PAGE, limit=PAGE
    )
    told = {
        "found": found,
        "unit": defined.metric_of(chosen).unit,
        "page": page,
        "last": max(1, -(-found.total // PAGE)),
    }
    return tab_of("use_case_people.html", asked, told)


def report(asked: Asked) -> Download:
    """Send the report as a file: HTML, CSV, Parquet or JSON."""
    form, found = asked.path["form"], _results(asked)
    body = report_page(found) if form == "html" else reports.report_file(found, form)
    name = f"report-{found.use_case}-{found.as_of:%Y-%m-%d}.{form}"
    return Download(body=body, media_type=MEDIA[form], name=name)


def report_page(found: Results) -> bytes:
    """Return the report as one HTML file that needs nothing else, and runs no script."""
    frame = Frame(as_of=found.as_of, demo=False)
    told = {"results": found, "style": pages.style()}
    return pages.render("report.html", frame, told).encode()


def insights(asked: Asked) -> Shown:
    """Show what was chosen, for whom, and what moved the choice."""
    _, chosen = _chosen(asked)
    segment = asked.query.get("segment")
    found = reports.insights(asked.stores, chosen, now=asked.now, segment=segment)
    told = {"insights": found, "forest": segment_lines(found.gains)}
    return tab_of("use_case_insights.html", asked, told)


def health(asked: Asked) -> Shown:
    """Show how it runs: what became of its audience, how fresh it is, whether people changed."""
    defined, chosen = _chosen(asked)
    found = reports.use_case_health(asked.stores, chosen, defined.metric_of(chosen), now=asked.now)
    told = {"health": found, "deliveries": found.deliveries}
    return tab_of("use_case_health.html", asked, told)


def timeline(asked: Asked) -> Shown:
    """Show what the use case went through."""
    _, chosen = _chosen(asked)
    told = {
        "begun_with": reports.begun_with(asked.stores, chosen),
        "history": reports.use_case_timeline(asked.stores.state, chosen.name, now=asked.now),
    }
    return tab_of("use_case_timeline.html", asked, told)


def tab_of(template: str, asked: Asked, told: Mapping[str, object]) -> Shown:
    """Show one tab below the sentence that all of them begin with."""
    defined, chosen = _chosen(asked)
    metric = defined.metric_of(chosen)
    head = reports.headline(asked.stores, chosen, metric, now=asked.now)
    return Shown(body=pages.render(template, asked.frame, {"head": head, **told}))


def _results(asked: Asked) -> Results:
    defined, chosen = _chosen(asked)
    given = asked.query.get("rolling")
    rolling = reports.check_rolling(int(given) if given.isdecimal() and len(given) < 4 else 1)
    metric = defined.metric_of(chosen)
    return reports.results(
        asked.stores, chosen, metric, now=asked.now, rolling=rolling, metrics=defined.metrics
    )


def _chosen(asked: Asked) -> tuple[Project, UseCase]:
    defined = project.read(asked.stores.state)
    return defined, defined.use_case(asked.path["name"])
