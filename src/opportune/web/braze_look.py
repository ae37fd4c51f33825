"""Ask Braze about one use case, where somebody presses the button: set-up and what it counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from opportune import pipeline
from opportune.activation.braze import MOST_DAYS, Advice
from opportune.decisions import UseCase
from opportune.errors import OpportuneError
from opportune.project import Project
from opportune.reports import Reconciliation
from opportune.web.asking import Asked
from opportune.web.states import ASKING

__all__ = ["Look", "look"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What Braze says of one use case. ``trouble``: why it does not say what it counted."""

    use_case: UseCase
    advice: Sequence[Advice]
    counted: Reconciliation | None
    trouble: str

    @property
    def answer(self) -> str:
        """Say in words what comes first."""
        must = sum(each.refuses for each in self.advice)
        if must:
            return f"{must} {'thing keeps' if must == 1 else 'things keep'} it from working."
        if self.advice:
            return "It can work; something should be done."
        if self.counted is None:
            return self.trouble
        return "All is well in Braze."


def look(asked: Asked, defined: Project, name: str) -> Look | None:
    """Ask Braze about the use case of this name; None where none of it sends through Braze."""
    chosen = defined.use_cases.get(name)
    if chosen is None or chosen.activation.connector != "braze":
        return None
    advice: list[Advice] = []
    counted, trouble = None, ""
    try:
        advice = pipeline.advice_for(asked.stores.settings, defined, chosen, ASKING)
        counted = pipeline.reconcile(asked.stores, chosen, ASKING, now=asked.now, days=MOST_DAYS)
    except OpportuneError as error:
        trouble = error.message
    return Look(use_case=chosen, advice=advice, counted=counted, trouble=trouble)
