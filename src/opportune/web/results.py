"""The results of one use case: a tab each for what it earned, chose, delivered and went through."""

from __future__ import annotations

from collections.abc import Mapping

from opportune import project, reports
from opportune.decisions import UseCase
from opportune.project import Project
from opportune.reports import Insights, Results, Tab, TabReport
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
# What the template of a tab calls the report.
NAMES = {"insights": "insights", "health": "health", "timeline": "history"}
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
    form, tab = asked.path["form"], asked.query.get("tab", "performance")
    if tab == "performance":
        found = _results(asked)
        body = report_page(found) if form == "html" else reports.report_file(found, form)
    else:
        told = _tab_report(asked, reports.check_tab(tab))
        body = report_page(told) if form == "html" else reports.tab_file(told, form)
    about = "report" if tab == "performance" else tab
    name = f"{about}-{asked.path['name']}-{asked.now:%Y-%m-%d}.{form}"
    return Download(body=body, media_type=MEDIA[form], name=name)


def report_page(found: Results | TabReport) -> bytes:
    """Return the report as one HTML file that needs nothing else, and runs no script."""
    if isinstance(found, TabReport):
        frame = Frame(as_of=found.found.as_of, demo=False)
        told = {"layout": "tab_report.html", "linked": False, "style": pages.style()}
        return pages.render(f"use_case_{found.tab}.html", frame, {**told, **_told(found)}).encode()
    frame = Frame(as_of=found.as_of, demo=False)
    context = {"results": found, "style": pages.style()}
    return pages.render("report.html", frame, context).encode()


def insights(asked: Asked) -> Shown:
    """Show what was chosen, for whom, and what moved the choice."""
    return _tab(asked, "insights")


def health(asked: Asked) -> Shown:
    """Show how it runs: what became of its audience, how fresh it is, whether people changed."""
    return _tab(asked, "health")


def timeline(asked: Asked) -> Shown:
    """Show what the use case went through."""
    return _tab(asked, "timeline")


def _tab(asked: Asked, tab: Tab) -> Shown:
    found = _tab_report(asked, tab)
    told = {"layout": "use_case_frame.html", "linked": True, **_told(found)}
    return Shown(body=pages.render(f"use_case_{tab}.html", asked.frame, told))


def _tab_report(asked: Asked, tab: Tab) -> TabReport:
    defined, chosen = _chosen(asked)
    metric, segment = defined.metric_of(chosen), asked.query.get("segment")
    return reports.tab_report(asked.stores, chosen, metric, tab, now=asked.now, segment=segment)


def _told(report: TabReport) -> Mapping[str, object]:
    """Return what the template of a tab shows."""
    told: dict[str, object] = {"head": report.head, NAMES[report.tab]: report.found}
    if isinstance(report.found, Insights):
        told["forest"] = segment_lines(report.found.gains)
    return told | {"begun_with": report.begun_with}


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
