"""From numbers to pages: pure functions, the same input gives the same text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined

from opportune.decisions import in_words
from opportune.project import templates
from opportune.reports import Verdict
from opportune.web import bars, charts, health_charts, lift_charts, words
from opportune.web.asking import Frame
from opportune.web.forest import estimates, group_lines, metric_lines

__all__ = ["asset", "json_text", "nothing_applied", "problem", "render", "style"]

VERDICTS: dict[Verdict, tuple[str, str]] = {
    "better": ("▲", "better"),
    "worse": ("▼", "worse"),
    "no_difference": ("=", "no difference seen"),
    "too_early": ("…", "too early"),
    "no_verdict": ("!", "no verdict"),
    "groups_differ": ("!", "groups differ"),
    "groups_alike": ("=", "groups do not differ"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """One entry of the rail; ``key`` is what the template of the screen calls itself."""

    key: str
    name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Screens that belong together; without a name where it is one alone."""

    name: str
    screens: Sequence[Screen]


RAIL: tuple[Group, ...] = (
    Group(name="", screens=(Screen(key="home", name="Home", address="/"),)),
    Group(
        name="Understand",
        screens=(
            Screen(key="live", name="Live events", address="/live"),
            Screen(key="people", name="People", address="/people"),
            Screen(key="segments", name="Segments", address="/segments"),
        ),
    ),
    Group(
        name="Decide",
        screens=(Screen(key="use_cases", name="Use cases", address="/use-cases"),),
    ),
    Group(
        name="Act",
        screens=(Screen(key="outbox", name="Channels and outbox", address="/outbox"),),
    ),
    Group(
        name="Govern",
        screens=(
            Screen(key="consent", name="Consent and fields", address="/consent"),
            Screen(key="requests", name="Requests", address="/requests"),
            Screen(key="review", name="Review list", address="/review"),
            Screen(key="health", name="Health", address="/health"),
        ),
    ),
)


def nothing_applied(*, frame: Frame) -> str:
    """Say what to run while there is no use case, and what to start from."""
    return render("nothing_applied.html", frame, {"templates": templates()})


def problem(*, title: str, message: str, code: str, since: datetime | None, frame: Frame) -> str:
    """Say what is wrong, since when, and what to do."""
    told = {"title": title, "message": message, "code": code, "since": since}
    return render("problem.html", frame, told)


def render(template: str, frame: Frame, context: Mapping[str, object]) -> str:
    """Fill a template of this room; a name that it asks for and nobody gave is an error."""
    return _ENVIRONMENT.get_template(template).render(frame=frame, **context)


def json_text(value: object) -> str:
    """Write a value of JSON in one line."""
    return json.dumps(value, ensure_ascii=False)


@cache
def asset(name: str) -> str:
    """Return the address of a file of ``static/``: another one whenever its content changes."""
    content = resources.files("opportune.web").joinpath("static", name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


@cache
def style() -> str:
    """Return the style sheet of the pages, for a file that has it inside."""
    return resources.files("opportune.web").joinpath("static", "app.css").read_text("utf-8")


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("opportune.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for filter_ in (
        words.ago,
        words.amount,
        words.as_of,
        words.clock,
        words.count,
        words.percent,
        words.signed_percent,
        words.size,
        words.span,
        words.total,
        in_words,
    ):
        environment.filters[filter_.__name__] = filter_
    environment.globals |= {
        "asset": asset,
        "bars": bars,
        "charts": charts,
        "health_charts": health_charts,
        "lift_charts": lift_charts,
        "estimate_lines": estimates,
        "group_lines": group_lines,
        "metric_lines": metric_lines,
        "rail": RAIL,
        "verdicts": VERDICTS,
    }
    return environment


_ENVIRONMENT = _environment()
