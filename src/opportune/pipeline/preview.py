"""What a use case that need not be applied would choose for some people now: nothing is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from opportune import decisions, learning
from opportune.decisions import Answer, Decided, Decider, Question, UseCase
from opportune.errors import OpportuneError
from opportune.pipeline.prepare import champion_of
from opportune.project import Project
from opportune.storage import Stores

__all__ = ["preview"]


def preview(
    stores: Stores,
    project: Project,
    use_case: UseCase,
    user_ids: Sequence[str],
    *,
    now: datetime,
) -> list[Answer | OpportuneError]:
    """Return what ``use_case`` would choose for each of a few people now, or why nothing.

    What they had lately, a cadence and a budget are left aside: these are the day's run's. The
    policy is the one that its version would go on from, else one that knows nothing yet.
    """
    decider = _decider(stores, project, use_case, now)
    questions = [
        Question(use_case=use_case.name, kind="user_id", value=each, dry_run=True)
        for each in user_ids
    ]
    people = decisions.people_asked(
        stores.state,
        questions,
        (*use_case.audience, *use_case.minus),
        purpose=decisions.purpose_of(use_case, project.consent),
    )
    asked = [
        (question, person)
        for question, person in zip(questions, people, strict=True)
        if not isinstance(person, OpportuneError)
    ]
    found = iter(decisions.decide_asked(decider, asked, now=now))
    chosen = [each if isinstance(each, OpportuneError) else next(found) for each in people]
    return [each.answer if isinstance(each, Decided) else each for each in chosen]


def _decider(stores: Stores, project: Project, use_case: UseCase, now: datetime) -> Decider:
    metric = project.metric_of(use_case)
    trained = learning.newest(stores, use_case, metric, now.date())
    policy = learning.started(use_case, metric) if trained is None else trained.playing
    use_case = _of_the_moment(decisions.in_unit_of(use_case, metric))
    decider = decisions.make_decider(
        use_case,
        policy,
        day=now.date(),
        policy_version="" if trained is None else trained.version,
        trained_through=None if trained is None else trained.trained_through,
    )
    champion = champion_of(stores, use_case, metric, now.date())
    return replace(decider, consent=project.consent, champion=champion)


def _of_the_moment(use_case: UseCase) -> UseCase:
    """The same without what asks for the days before, and without a budget."""
    dimensions = tuple(
        replace(each, meaning="choice") if each.meaning == "frequency" else each
        for each in use_case.dimensions
    )
    constraints = replace(use_case.constraints, cooldowns=(), caps=())
    return replace(use_case, dimensions=dimensions, constraints=constraints, budget=None)
