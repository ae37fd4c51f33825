"""Before a use case that sends through Braze is started: is all there that it needs?"""

from __future__ import annotations

from opportune.activation.braze import (
    Advice,
    Asking,
    BrazeUnavailable,
    SetUp,
    UnreadableAnswer,
    check_set_up,
    connected,
    not_checked,
    refuse,
)
from opportune.decisions import UseCase
from opportune.project import Project
from opportune.settings import Settings

__all__ = ["advice_for", "check_before_start", "set_up_of"]

BRAZE = "braze"


def check_before_start(
    configured: Settings, project: Project, use_case: UseCase, asking: Asking
) -> list[Advice]:
    """Return what should be done before ``use_case`` sends; nothing where it needs no Braze.

    Where no key is set nothing can be asked, nor sent. A Braze that does not answer stops nothing:
    it is advice. Raises ``BrazeSetUpWrong`` for what would not work.
    """
    found = advice_for(configured, project, use_case, asking)
    refuse(use_case.name, found)
    return found


def advice_for(
    configured: Settings, project: Project, use_case: UseCase, asking: Asking
) -> list[Advice]:
    """As `check_before_start`, and raises for nothing that is found."""
    if use_case.activation.connector != BRAZE or not configured.braze_api_key:
        return []
    base_url = use_case.activation.config.get("base_url", "")
    with connected(base_url, configured.braze_api_key, asking) as workspace:
        try:
            return check_set_up(workspace, set_up_of(project, use_case))
        except (BrazeUnavailable, UnreadableAnswer) as trouble:
            return [not_checked(trouble)]


def set_up_of(project: Project, use_case: UseCase) -> SetUp:
    """Say what ``use_case`` asks of Braze, and which others ask the same."""
    config = use_case.activation.config
    others = [
        each
        for each in project.use_cases.values()
        if each.name != use_case.name and each.activation.connector == BRAZE
    ]
    target = _target(use_case)
    return SetUp(
        use_case=use_case.name,
        config=config,
        dimensions=tuple(each.name for each in use_case.dimensions if each.meaning == "choice"),
        others=_others(use_case),
        is_held=use_case.activation.schedule == BRAZE,
        same_target=tuple(
            each.name
            for each in others
            if any(target[1:]) and each.state == "live" and _target(each) == target
        ),
        same_audience=tuple(
            each.name for each in others if set(each.audience) & set(use_case.audience)
        ),
    )


def _others(use_case: UseCase) -> tuple[str, ...]:
    """Name dimensions that say when and how, and what options bring along."""
    when = (each.name for each in use_case.dimensions if each.meaning != "choice")
    brought = (
        name
        for dimension in use_case.dimensions
        for option in dimension.options
        for name in option.parameters
    )
    return tuple(dict.fromkeys((*when, *brought)))


def _target(use_case: UseCase) -> tuple[str | None, ...]:
    config = use_case.activation.config
    return tuple(config.get(key) for key in ("base_url", "campaign_id", "canvas_id"))
