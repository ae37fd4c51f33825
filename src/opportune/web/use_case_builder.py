"""The builder of use cases: who, goal, choices, limits, and what that comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from opportune import pipeline, plugins, project, reports
from opportune.decisions import UseCase
from opportune.documents import InvalidDefinition
from opportune.project import ProjectNotFound, body_of, define_use_case, judge_use_case
from opportune.web import pages
from opportune.web.asking import Asked, Moved, Shown
from opportune.web.use_case_form import UseCaseForm, field_of, form_of, read_form, undone
from opportune.web.use_case_rows import OPERATORS
from opportune.web.use_case_sums import comes_to

__all__ = ["change", "check", "from_template", "new_use_case", "save"]

MEANINGS = ("choice", "channel", "hour", "day", "frequency")
# What a new use case begins with: of a connector that sends nothing but to its address.
BLANK: Mapping[str, Any] = {
    "title": "",
    "audience": {"segments": []},
    "groups": {"control_share": 0.1, "exploration_min": 0.01},
    "activation": {"connector": "braze", "base_url": "http://127.0.0.1:8421", "campaign_id": ""},
    "dimensions": [],
}
STATES = ("shadow", "live")


def new_use_case(asked: Asked) -> Shown:
    """Show the builder with nothing in it but what every use case has, or with a template."""
    template = asked.query.get("template")
    body = project.template_body(template) if template else BLANK
    return _builder(asked, form_of(template, 0, body))


def from_template(asked: Asked) -> Moved:
    """Write the metrics and segments that a template names, and go on in the builder."""
    name = asked.form.get("template")
    project.add_template(asked.stores.state, name, now=asked.now)
    return Moved(to=f"/new-use-case?template={quote(name)}")


def change(asked: Asked) -> Shown:
    """Show the builder with a use case that there is, or as it was in an older version.

    Raises ``ProjectNotFound``.
    """
    name = asked.path["name"]
    found = body_of(asked.stores.state, name)
    if found is None:
        project.read(asked.stores.state).use_case(name)
        raise ProjectNotFound(f"No use case '{name[:63]}'.")
    version, body = found
    wanted = asked.query.get("version")
    older = {str(each.version): each.body for each in reports.versions(asked.stores.state, name)}
    form = form_of(name, version, older.get(wanted, body))
    if wanted in older and wanted != str(version):
        form = replace(form, before=(body,))
    return _builder(asked, form)


def check(asked: Asked) -> Shown:
    """Say what is wrong with what was typed, and what it comes to; nothing is written."""
    form = read_form(asked.form)
    act = asked.form.get("act")
    if act == "undo":
        return _builder(asked, undone(form))
    return _builder(asked, form, asks=True, simulates=act == "simulate")


def save(asked: Asked) -> Shown | Moved:
    """Write what was typed as the next version; a new use case begins as a draft.

    Then start it in shadow, or ask whether to start it, where a button says so.
    """
    form = read_form(asked.form)
    try:
        define_use_case(
            asked.stores.state,
            form.name,
            form.body,
            version=form.version,
            by=asked.by,
            now=asked.now,
        )
    except InvalidDefinition:
        return _builder(asked, form, status=400)
    if asked.form.get("then") == "shadow":
        pipeline.change_state(asked.stores, form.name, "shadow", by=asked.by, now=asked.now)
    # What sends is asked for once more there, with how many people it is about.
    return Moved(to=f"/use-cases/{quote(form.name)}/state")


def _builder(
    asked: Asked,
    form: UseCaseForm,
    *,
    asks: bool = False,
    simulates: bool = False,
    status: int = 200,
) -> Shown:
    defined = project.read(asked.stores.state)
    use_case: UseCase | None = None
    problems: dict[str, list[str]] = {}
    checked = form.version > 0 or asks or status != 200
    if checked:
        use_case, told = judge_use_case(asked.stores.state, form.name, form.body)
        names = [each["name"] for each in form.dimensions]
        for each in told:
            problems.setdefault(field_of(each, names), []).append(_own(each))
    audience = form.body.get("audience", {})
    context = {
        "form": form,
        "before": pages.json_text(form.body),
        "earlier": pages.json_text(list(form.before)),
        "defined": defined,
        "meanings": MEANINGS,
        "operators": OPERATORS,
        "policies": [name for name in plugins.names(plugins.POLICIES) if name != "fixed"],
        "templates": project.templates() if form.version == 0 else (),
        "segments": audience.get("segments", []),
        "minus": audience.get("minus", []),
        "checked": checked,
        "problems": problems,
        "wrong_count": sum(map(len, problems.values())),
        "versions": _versions(asked, form),
        **comes_to(asked, defined, form, use_case, asks=asks, simulates=simulates),
    }
    return Shown(body=pages.render("use_case_edit.html", asked.frame, context), status=status)


def _own(problem: str) -> str:
    """Leave out the name of the file, which nobody here has written."""
    return problem.partition(".toml: ")[2] or problem


def _versions(asked: Asked, form: UseCaseForm) -> list[dict[str, object]]:
    """Every version with what it changed, the newest first."""
    if form.version == 0:
        return []
    every = reports.versions(asked.stores.state, form.name)
    shown: list[dict[str, object]] = []
    for place, each in enumerate(every):
        changed = reports.differences(every[place - 1].body, each.body) if place else ()
        shown.append({"version": each.version, "at": each.applied_at, "changed": changed})
    return shown[::-1]
