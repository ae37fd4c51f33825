"""From numbers to pages: pure functions, the same input gives the same text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

from opportune.reports import Performance, Verdict
from opportune.web import charts, words
from opportune.web.truth import Truth

__all__ = ["Frame", "home", "nothing_applied", "problem", "use_case"]

VERDICTS: dict[Verdict, tuple[str, str]] = {
    "better": ("▲", "better"),
    "worse": ("▼", "worse"),
    "no_difference": ("=", "no difference seen"),
    "too_early": ("…", "too early"),
    "no_verdict": ("!", "no verdict"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What every page shows: when it was true, whose data, and which version of the style sheet."""

    as_of: datetime
    demo: bool
    style: str


def home(performances: Sequence[Performance], *, frame: Frame) -> str:
    """List the use cases, each with its answer and its lift."""
    return _render("home.html", frame, performances=performances)


def use_case(performance: Performance, *, truth: Truth | None, frame: Frame) -> str:
    """Show the result of one use case."""
    return _render("use_case.html", frame, performance=performance, truth=truth)


def nothing_applied(*, frame: Frame) -> str:
    """Say what to run while there is no use case."""
    return _render("nothing_applied.html", frame)


def problem(*, title: str, message: str, code: str, since: datetime | None, frame: Frame) -> str:
    """Say what is wrong, since when, and what to do."""
    return _render("problem.html", frame, title=title, message=message, code=code, since=since)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("opportune.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for filter_ in (
        words.amount,
        words.as_of,
        words.count,
        words.percent,
        words.signed_percent,
        words.total,
    ):
        environment.filters[filter_.__name__] = filter_
    environment.globals |= {"charts": charts, "verdicts": VERDICTS}
    return environment


_ENVIRONMENT = _environment()


def _render(template: str, frame: Frame, **context: object) -> str:
    return _ENVIRONMENT.get_template(template).render(frame=frame, **context)
