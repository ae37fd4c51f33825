"""The page of one person for a frame in another tool: read-only, without scripts, for minutes.

Whoever has the link may see the page until it ends; which tools may frame it is a setting. Fields
that are classed as sensitive are named and not shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib import resources

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from opportune import project, reports
from opportune.errors import Forbidden, NotFound, OpportuneError, Unavailable
from opportune.events import FieldClasses, field_class
from opportune.reports.link import read_link
from opportune.storage import LakeUnavailable, Stores
from opportune.web import words

__all__ = ["embed_routes"]

SHOWN_ENTRIES = 20
STATUSES: tuple[tuple[type[OpportuneError], int], ...] = (
    (Forbidden, 403),
    (NotFound, 404),
    (Unavailable, 503),
)
HIDDEN = "not shown"
# Why the default zone counts.
ZONES = {"missing": "none is known", "wrong": "theirs does not exist"}


def embed_routes(stores: Stores, *, clock: Callable[[], datetime]) -> Sequence[BaseRoute]:
    """Return the route of the page, for the server that is composed of them."""
    page = _Page(stores, clock)
    return (Route("/people/embed/{link}", page.show),)


class _Page:
    def __init__(self, stores: Stores, clock: Callable[[], datetime]) -> None:
        self._stores = stores
        self._clock = clock
        self._definitions = project.Reader(stores.state)
        css = resources.files("opportune.web").joinpath("static", "app.css").read_bytes()
        self._style = hashlib.sha256(css).hexdigest()[:12]
        self._templates = Environment(
            loader=PackageLoader("opportune.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {"as_of": words.as_of, "count": words.count}

    def show(self, request: Request) -> Response:
        """What is known of the person that the link stands for."""
        now = self._clock()
        try:
            body, status = self._person(request.path_params["link"], now), 200
        except OpportuneError as error:
            body, status = self._problem(error, now)
        return HTMLResponse(body, status, headers=self._headers())

    def _person(self, link: str, now: datetime) -> str:
        settings = self._stores.settings
        profile_id = read_link(link, key=settings.embed_key, now=now)
        found = reports.person_by_id(
            self._stores.state, profile_id, default_zone=settings.time_zone
        )
        defined = self._definitions.read()
        return self._render(
            "embed.html",
            now,
            person=found,
            zone_because=ZONES.get(found.time_zone.known_from),
            facts=[_fact(each, defined.classes, now) for each in found.traits],
            consent=reports.consent_answers(found.consent, defined.consent),
            entries=self._entries(found.profile_id),
        )

    def _entries(self, profile_id: int) -> Sequence[reports.Entry] | None:
        try:
            return reports.timeline(self._stores, profile_id, limit=SHOWN_ENTRIES).entries
        except LakeUnavailable:
            # What State knows is worth showing without it.
            return None

    def _problem(self, error: OpportuneError, now: datetime) -> tuple[str, int]:
        status = next((code for kind, code in STATUSES if isinstance(error, kind)), 500)
        message = error.message if status != 500 else "The log of the server says more."
        return self._render("embed_problem.html", now, message=message, code=error.code), status

    def _render(self, template: str, now: datetime, **context: object) -> str:
        return self._templates.get_template(template).render(now=now, style=self._style, **context)

    def _headers(self) -> Mapping[str, str]:
        origins = self._stores.settings.embed_origins or "'none'"
        return {
            "Content-Security-Policy": (
                "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
                f"frame-ancestors {origins}"
            ),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }


def _fact(trait: reports.KnownTrait, classes: FieldClasses, now: datetime) -> dict[str, str]:
    said = trait.value
    value = said if isinstance(said, str) else msgspec.json.encode(said).decode()
    sensitive = field_class("trait", trait.name, declared=classes).name == "sensitive"
    return {
        "name": trait.name,
        "value": HIDDEN if sensitive else value,
        "source": trait.source_id or "",
        "age": "" if trait.said_at is None else _age((now - trait.said_at).total_seconds()),
    }


def _age(seconds: float) -> str:
    """Write how old something is in its largest unit.

    >>> _age(59), _age(7_300), _age(86_400 * 3)
    ('59 s', '2 h', '3 days')
    """
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"
