"""What if: other options or another policy, asked of the decision log of a use case."""

from __future__ import annotations

from collections.abc import Mapping

from opportune import pipeline, project
from opportune.decisions import NotComparable, UseCase
from opportune.learning import PLAYS, WhatIf
from opportune.pipeline import Otherwise
from opportune.web.asking import Asked, Shown
from opportune.web.results import tab_of

__all__ = ["what_if"]

PLAYS_WORDS = {
    "learned": "the policy that learned, day by day",
    "uniform": "every option alike",
    "fixed": "always the same action",
}


def what_if(asked: Asked) -> Shown:
    """Show the form, and the estimate where something was asked. Nothing is written."""
    defined = project.read(asked.stores.state)
    chosen = defined.use_case(asked.path["name"])
    plays = asked.query.get("plays") or "learned"
    action = {each.name: asked.query.get(f"always-{each.name}") for each in chosen.dimensions}
    found: WhatIf | None = None
    problem = ""
    if asked.query.pairs:
        question = Otherwise(
            without=_without(asked, chosen),
            plays=plays,
            action=action if plays == "fixed" else {},
        )
        try:
            found = pipeline.what_if(
                asked.stores, defined, chosen, asked=question, log_name=chosen.name, now=asked.now
            )
        except NotComparable as error:
            problem = error.message
    told: Mapping[str, object] = {
        "use_case": chosen,
        "kept": set(asked.query.all("keep")) if asked.query.pairs else None,
        "plays": plays,
        "plays_words": {each: PLAYS_WORDS[each] for each in PLAYS},
        "action": action,
        "found": found,
        "problem": problem,
    }
    return tab_of("use_case_what_if.html", asked, told)


def _without(asked: Asked, chosen: UseCase) -> list[tuple[str, str]]:
    """The options whose boxes are empty."""
    kept = set(asked.query.all("keep"))
    return [
        (each.name, option.name)
        for each in chosen.dimensions
        for option in each.options
        if f"{each.name}={option.name}" not in kept
    ]
