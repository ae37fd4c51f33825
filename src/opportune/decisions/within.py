"""Decide on request within limits: hold, decide, keep; and say who must be decided for again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from opportune.decisions.ask import keep_held
from opportune.decisions.asked import Answer, Decided, Person, Question
from opportune.decisions.decider import decide_asked
from opportune.decisions.limits import BeingDecided, Held, hold, worst
from opportune.decisions.prepared import Decider
from opportune.errors import OpportuneError
from opportune.storage import Asked

__all__ = ["DecidedMeanwhile", "decide_within"]


class DecidedMeanwhile(BeingDecided):
    """Something was decided meanwhile that an answer did not know of: it is made again."""

    code = "decided_meanwhile"


def decide_within(
    state: Asked, decider: Decider, asked: Sequence[tuple[Question, Person]], *, now: datetime
) -> list[Answer | OpportuneError]:
    """Decide and keep within the decider's limits: one statement before, and one after.

    ``DecidedMeanwhile`` where nothing was kept because something was decided in between: prepare
    the decider anew where its limits are of another epoch, and ask again. What is held is let go of
    in any case.
    """
    limits, count = decider.limits, sum(not question.dry_run for question, _ in asked)
    assert limits is not None
    users = sorted({person.user_id for _, person in asked if person.user_id is not None})
    need = count * worst(decider.use_case)
    held = hold(state, decider.use_case, limits, users, need=need)
    if held is None:
        return [_meanwhile(decider) for _ in asked]
    kept: list[Answer | None] = []
    decided: list[Decided] = []
    try:
        found = decide_asked(decider, asked, now=now, held=held)
        outcomes = zip(found, asked, strict=True)
        decided = [
            each
            for each, (question, _) in outcomes
            if isinstance(each, Decided) and not question.dry_run
        ]
    finally:
        kept = _keep(state, decider, decided, held)
    answers = iter(kept)
    told: list[Answer | OpportuneError] = []
    for each, (question, _) in zip(found, asked, strict=True):
        if not isinstance(each, Decided):
            told.append(each)
        elif question.dry_run:
            told.append(each.answer)
        else:
            told.append(next(answers) or _meanwhile(decider))
    return told


def _keep(
    state: Asked, decider: Decider, decided: Sequence[Decided], held: Held
) -> list[Answer | None]:
    if decider.limits is None or not (decided or held.granted):
        return []
    epoch, use_case = decider.limits.epoch, decider.use_case
    return keep_held(state, use_case, decided, epoch=epoch, granted=held.granted)


def _meanwhile(decider: Decider) -> DecidedMeanwhile:
    return DecidedMeanwhile(
        f"Use case '{decider.use_case.name}' decided for the same profile, or a whole day, in the "
        "same moment, again and again. Nothing was decided; ask again with the same request_id."
    )
