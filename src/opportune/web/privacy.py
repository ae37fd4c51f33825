"""Consent and fields, and requests of people: export, erase, proof."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from urllib.parse import quote

from opportune import privacy, project, reports
from opportune.privacy import Mode, Request
from opportune.reports import FieldReport, Person
from opportune.web import pages
from opportune.web.asking import Asked, Download, Moved, Shown
from opportune.web.person import BY, NotConfirmed, first_of, person_of

__all__ = ["consent_and_fields", "erase", "export", "request", "requests"]

MODES: Mapping[Mode, str] = {
    "erase": "erase: what the person did goes away; sums stay",
    "anonymise": "anonymise: what was done stays, and is nobody's any more",
}
# States of requests that are not done.
WORKING = ("received", "running")


def consent_and_fields(asked: Asked) -> Shown:
    """Show the purposes, the classes of fields, where each field flows, and what is forbidden."""
    defined = project.read(asked.stores.state)
    used = reports.usage(
        defined.metrics,
        defined.segments,
        defined.use_cases,
        defined.tracking_plans,
        defined.computed_traits,
    )
    found = reports.field_report(
        asked.stores.state,
        defined.field_policies,
        segments=defined.segments,
        use_cases=defined.with_metrics(),
        used=used,
        now=asked.now,
    )
    rules = defined.consent
    context = {
        "report": found,
        "purposes": [] if rules is None else list(rules.purposes.values()),
        "consent": rules,
        "counts": reports.consent_counts(asked.stores.state),
        "unread": unread(found),
    }
    return Shown(body=pages.render("consent.html", asked.frame, context))


def unread(found: FieldReport) -> tuple[str, ...]:
    """Return the fields that no policy of a use case may read, by name."""
    forbidden = {
        label
        for policy in found.policies
        if any(use.partition("/")[0] == "features" for use in policy.applies_to)
        for label in policy.forbids
    }
    return tuple(
        each.name for each in found.fields if forbidden & set(each.labels) and each.kind == "trait"
    )


def requests(asked: Asked) -> Shown:
    """Show the requests, and the form for another one."""
    chosen = _chosen(asked)
    found = privacy.requests(asked.stores.state)
    context = {
        "requests": found,
        "open": [each for each in found if each.state in WORKING],
        "chosen": None if chosen is None else first_of(chosen),
        "person": chosen,
        "modes": MODES,
    }
    return Shown(body=pages.render("requests.html", asked.frame, context))


def request(asked: Asked) -> Shown:
    """Show one request: how far it is, what was done, and the proof."""
    found = privacy.request(asked.stores.state, asked.path["id"])
    context = {"request": found, "modes": MODES, "proof": _proof(found)}
    return Shown(body=pages.render("request.html", asked.frame, context))


def export(asked: Asked) -> Download:
    """Send everything that is stored of one person as a file."""
    kind, value = asked.form.get("kind"), asked.form.get("value")
    everything = privacy.export_person(asked.stores, kind, value, now=asked.now)
    body = json.dumps(everything, indent=2, ensure_ascii=False).encode()
    return Download(body=body, media_type="application/json", name="person.json")


def erase(asked: Asked) -> Moved:
    """Receive the request to forget a person. Raises ``NotConfirmed``, ``NotForgettable``."""
    kind, value = asked.form.get("kind"), asked.form.get("value")
    if not value or asked.form.get("confirm") != value:
        raise NotConfirmed(
            "Type the identifier a second time to confirm: this cannot be undone. Nobody was "
            "forgotten."
        )
    mode: Mode = "anonymise" if asked.form.get("mode") == "anonymise" else "erase"
    said = privacy.Asked(request_id=uuid.uuid4().hex, mode=mode, by=BY, now=asked.now)
    received = privacy.ask(asked.stores.state, kind, value, said)
    return Moved(to=f"/requests/{quote(received.request_id, safe='')}")


def _chosen(asked: Asked) -> Person | None:
    given = asked.query.get("person")
    return person_of(asked, given) if given else None


def _proof(found: Request) -> list[tuple[str, Mapping[str, object] | str]]:
    """Return what was searched: counts by part, and whatever else the proof says, as text."""
    return [
        (
            name.replace("_", " "),
            said if isinstance(said, Mapping) and "hits" in said else pages.json_text(said),
        )
        for name, said in (found.proof or {}).items()
    ]
