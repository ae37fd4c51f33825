"""What each use case would choose for a person now, as a dry run: nothing is kept."""

from __future__ import annotations

from dataclasses import dataclass

from opportune import pipeline
from opportune.decisions import Answer
from opportune.errors import OpportuneError
from opportune.project import Project
from opportune.web.asking import Asked

__all__ = ["WouldGet", "would_get"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WouldGet:
    """A use case by its title, and what it answers: one of ``answer`` and ``refusal`` is there."""

    name: str
    title: str
    answer: Answer | None
    refusal: str


def would_get(asked: Asked, defined: Project, kind: str, value: str) -> list[WouldGet]:
    """Ask every use case for the person with this identifier, as the day's run would."""
    found = pipeline.would_decide(asked.stores, defined, kind, value, now=asked.now)
    return [_shown(defined, name, each) for name, each in found.items()]


def _shown(defined: Project, name: str, found: Answer | OpportuneError) -> WouldGet:
    title = defined.use_cases[name].title
    if isinstance(found, OpportuneError):
        return WouldGet(name=name, title=title, answer=None, refusal=found.message)
    return WouldGet(name=name, title=title, answer=found, refusal="")
