"""What the use case in the builder comes to: people, combinations, money, readiness, a preview."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from opportune import decisions, pipeline, profiles
from opportune.decisions import Answer, NotComparable, UseCase, breaking
from opportune.errors import OpportuneError
from opportune.learning import WhatIf
from opportune.pipeline import Otherwise
from opportune.profiles import PeopleFilter
from opportune.project import Project
from opportune.reports import Readiness
from opportune.web.asking import Asked
from opportune.web.people import display_name
from opportune.web.use_case_form import UseCaseForm

__all__ = ["comes_to"]

PREVIEWED = 10
# Of more than so many combinations nobody counts those that are left.
MOST_COUNTED = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonPreview:
    """Somebody of the audience, and what they would get or why nothing."""

    profile_id: int
    name: str
    answer: Answer | None
    refusal: str


def comes_to(
    asked: Asked,
    defined: Project,
    form: UseCaseForm,
    use_case: UseCase | None,
    *,
    asks: bool,
    simulates: bool,
) -> dict[str, object]:
    """Return what stands in the right column: ``use_case`` is None where something is wrong.

    Only where somebody ``asks`` is the lake read, and the log only where somebody ``simulates``.
    """
    audience = form.body.get("audience", {})
    state = asked.stores.state
    segments, minus = audience.get("segments", []), audience.get("minus", [])
    found = decisions.audience_people(state, segments, minus, most=PREVIEWED)
    told: dict[str, object] = {
        "people": found.people,
        "space": None if use_case is None else _space(use_case),
        "money": None if use_case is None else _money(defined, use_case, found.people),
        "readiness": None,
        "previews": (),
        "simulated": None,
        "simulated_of": "",
        "cannot_simulate": "",
    }
    if use_case is None or not asks:
        return told
    draft = replace(use_case, version=form.version + 1)
    told["readiness"] = _ready(asked, defined, draft)
    told["previews"] = _previews(asked, defined, draft, found.profile_ids)
    return {**told, **_simulated(asked, defined, draft)} if simulates else told


def _ready(asked: Asked, defined: Project, draft: UseCase) -> Readiness:
    return pipeline.readiness(asked.stores, defined, draft, now=asked.now)


def _previews(
    asked: Asked, defined: Project, draft: UseCase, ids: tuple[int, ...]
) -> list[PersonPreview]:
    """What the first people of the audience would get, those whom a user id names."""
    if not ids:
        return []
    people = profiles.people(asked.stores.state, PeopleFilter(ids=ids), limit=len(ids)).rows
    named = {
        each.profile_id: next((value for kind, value in each.identifiers if kind == "user_id"), "")
        for each in people
    }
    found = pipeline.preview(
        asked.stores, defined, draft, [value for value in named.values() if value], now=asked.now
    )
    answers = dict(zip((key for key, value in named.items() if value), found, strict=True))
    return [
        _person(each.profile_id, display_name(each.traits, each.identifiers), answers)
        for each in people
        if each.profile_id in answers
    ]


def _person(
    profile_id: int, name: str, answers: Mapping[int, Answer | OpportuneError]
) -> PersonPreview:
    found = answers[profile_id]
    if isinstance(found, OpportuneError):
        return PersonPreview(profile_id=profile_id, name=name, answer=None, refusal=found.message)
    return PersonPreview(profile_id=profile_id, name=name, answer=found, refusal="")


def _simulated(asked: Asked, defined: Project, draft: UseCase) -> dict[str, object]:
    """Ask the log of this use case, or else of one that chooses in the same dimensions."""
    name = _log_for(defined, draft)
    if not name:
        why = (
            "No use case that was decided chooses in the same dimensions with the same success "
            "metric, so there is no history to simulate on. Start in shadow to see what it chooses."
        )
        return {"cannot_simulate": why}
    asks = Otherwise()
    try:
        found: WhatIf = pipeline.what_if(
            asked.stores, defined, draft, asked=asks, log_name=name, now=asked.now
        )
    except NotComparable as error:
        return {"cannot_simulate": error.message}
    return {"simulated": found, "simulated_of": name}


def _log_for(defined: Project, draft: UseCase) -> str:
    if draft.name in defined.use_cases:
        return draft.name
    alike = [(each.name, each.meaning) for each in draft.dimensions]
    for name, other in sorted(defined.use_cases.items()):
        same = [(each.name, each.meaning) for each in other.dimensions] == alike
        if same and other.success_metric == draft.success_metric:
            return name
    return ""


def _space(use_case: UseCase) -> dict[str, Any]:
    """Count the combinations, and those that each rule for everybody forbids."""
    sizes = {each.name: len(each.options) for each in use_case.dimensions}
    total = math.prod(sizes.values())
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
    return {
        "total": total,
        "forbidden": forbidden,
        "ruled": ruled,
        "caps": use_case.constraints.caps,
        "left": _left(use_case) if forbidden and total <= MOST_COUNTED else total,
    }


def _left(use_case: UseCase) -> int:
    """How many combinations nothing forbids to everybody."""
    always = [each.when is None for each in use_case.constraints.forbidden]
    return int((~breaking(use_case)[np.array(always)].any(axis=0)).sum())


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
