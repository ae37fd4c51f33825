"""The builder of use cases: who, goal, choices, limits, and what that comes to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from opportune import decisions, project
from opportune.decisions import UseCase
from opportune.documents import InvalidDefinition
from opportune.project import Project, ProjectNotFound, body_of, define_use_case, judge_use_case
from opportune.web import pages
from opportune.web.asking import Asked, Moved, Shown
from opportune.web.use_case_form import BLOCKS, UseCaseForm, block_of, form_of, read_form

__all__ = ["change", "check", "new_use_case", "save"]

MEANINGS = ("choice", "channel", "hour", "day", "frequency")
# What a new use case begins with: of a connector that sends nothing but to its address.
BLANK: Mapping[str, Any] = {
    "title": "",
    "audience": {"segments": []},
    "groups": {"control_share": 0.1, "exploration_min": 0.01},
    "activation": {"connector": "braze", "base_url": "http://127.0.0.1:8421", "campaign_id": ""},
    "dimensions": [],
}


def new_use_case(asked: Asked) -> Shown:
    """Show the builder with nothing in it but what every use case has."""
    return _builder(asked, form_of("", 0, BLANK), checked=False)


def change(asked: Asked) -> Shown:
    """Show the builder with a use case that there is. Raises ``ProjectNotFound``."""
    name = asked.path["name"]
    found = body_of(asked.stores.state, name)
    if found is None:
        project.read(asked.stores.state).use_case(name)
        raise ProjectNotFound(f"No use case '{name[:63]}'.")
    version, body = found
    return _builder(asked, form_of(name, version, body), checked=True)


def check(asked: Asked) -> Shown:
    """Say what is wrong with what was typed, and what it comes to; nothing is written."""
    return _builder(asked, read_form(asked.form), checked=True)


def save(asked: Asked) -> Shown | Moved:
    """Write what was typed as the next version; a new use case begins as a draft."""
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
        return _builder(asked, form, checked=True, status=400)
    return Moved(to=f"/use-cases/{quote(form.name)}/state")


def _builder(asked: Asked, form: UseCaseForm, *, checked: bool, status: int = 200) -> Shown:
    defined = project.read(asked.stores.state)
    use_case: UseCase | None = None
    problems: Sequence[str] = ()
    if checked:
        use_case, problems = judge_use_case(asked.stores.state, form.name, form.body)
    audience = form.body.get("audience", {})
    segments, minus = audience.get("segments", []), audience.get("minus", [])
    found = decisions.audience_people(asked.stores.state, segments, minus)
    context = {
        "form": form,
        "before": pages.json_text(form.body),
        "defined": defined,
        "meanings": MEANINGS,
        "segments": segments,
        "minus": minus,
        "checked": checked,
        "problems": {
            block: [_own(each) for each in problems if block_of(each) == block] for block in BLOCKS
        },
        "wrong_count": len(problems),
        "control": _percent(form),
        "people": found.people,
        "space": None if use_case is None else _space(use_case),
        "money": None if use_case is None else _money(defined, use_case, found.people),
    }
    return Shown(body=pages.render("use_case_edit.html", asked.frame, context), status=status)


def _own(problem: str) -> str:
    """Leave out the name of the file, which nobody here has written."""
    return problem.partition(".toml: ")[2] or problem


def _percent(form: UseCaseForm) -> str:
    given = form.body.get("groups", {}).get("control_share", 0.1)
    return f"{given * 100:g}" if isinstance(given, int | float) else str(given)


def _space(use_case: UseCase) -> dict[str, object]:
    """Count the combinations, and those that each rule for everybody forbids."""
    sizes = {each.name: len(each.options) for each in use_case.dimensions}
    forbidden = [
        {
            "words": " with ".join(
                f"{dimension} {' or '.join(options)}" for dimension, options in each.options.items()
            ),
            "some": each.when is not None,
            "count": math.prod(
                len(each.options.get(name, ())) or size for name, size in sizes.items()
            ),
        }
        for each in use_case.constraints.forbidden
    ]
    ruled = sum(option.eligible is not None for d in use_case.dimensions for option in d.options)
    return {"total": math.prod(sizes.values()), "forbidden": forbidden, "ruled": ruled}


def _money(defined: Project, use_case: UseCase, people: int) -> dict[str, object] | None:
    """Say what a day costs at most: everybody gets what is dearest, or the budget is used up."""
    if use_case.costs is None:
        return None
    dearest = sum(max(option.cost for option in each.options) for each in use_case.dimensions)
    worst, budget = dearest * people, use_case.budget
    per_day = None if budget is None else budget.per_day
    unit = budget.unit if budget is not None and budget.unit else defined.metric_of(use_case).unit
    is_limited = per_day is not None and per_day < worst
    return {"unit": unit, "a_day": per_day if is_limited else worst, "limited": is_limited}
