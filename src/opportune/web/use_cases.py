"""The list of use cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from opportune import decisions, project
from opportune.decisions import UseCase
from opportune.project import Project
from opportune.reports import Standing
from opportune.web import pages
from opportune.web.asking import Asked, Shown
from opportune.web.forest import forest
from opportune.web.home import standings

__all__ = ["use_cases"]


def use_cases(asked: Asked) -> Shown:
    """Show the use cases: state, goal, audience, lift, spending and last run of each."""
    defined = project.read(asked.stores.state)
    if not defined.use_cases:
        return Shown(body=pages.nothing_applied(frame=asked.frame))
    found = standings(asked, defined)
    rows = [_row(asked, defined, each) for each in found]
    context = {"rows": rows, "forest": forest(found), "answer": _answer(rows)}
    return Shown(body=pages.render("use_cases.html", asked.frame, context))


def _row(asked: Asked, defined: Project, found: Standing) -> dict[str, object]:
    use_case = defined.use_case(found.use_case)
    audience = decisions.audience_people(asked.stores.state, use_case.audience, use_case.minus)
    alone = len(use_case.audience) == 1 and not use_case.minus
    return {
        "standing": found,
        "state": "stopped" if found.stopped and use_case.decides else use_case.state,
        "audience": use_case.audience,
        "minus": use_case.minus,
        "people": audience.people,
        # The list of people takes one segment.
        "people_address": f"/people?segment={quote(use_case.audience[0])}" if alone else "",
        "spending": _spending(asked, defined, use_case),
    }


def _spending(asked: Asked, defined: Project, use_case: UseCase) -> dict[str, object] | None:
    """What was spent, and of how much; None where nothing costs anything."""
    if use_case.costs is None:
        return None
    metric = defined.metric_of(use_case)
    budget = decisions.in_unit_of(use_case, metric).budget
    spent = decisions.spent(asked.stores, use_case).spent
    own_unit = budget.unit if budget is not None else None
    return {
        "spent": spent,
        "unit": own_unit or metric.unit,
        "total": budget.total if budget is not None else None,
    }


def _answer(rows: Sequence[Mapping[str, object]]) -> str:
    """Say how many use cases there are in each state."""
    counts = Counter(str(row["state"]) for row in rows)
    said = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    return f"{said}. Each is measured against its own control group."
