"""Make ready what decides when somebody asks: definition, policy and limits of each use case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime

from opportune import decisions, events, learning
from opportune.decisions import Decider, NotStarted, UseCaseNotDeciding, UseCaseStopped
from opportune.errors import OpportuneError
from opportune.project import Project
from opportune.storage import Stores

__all__ = ["Ready", "champion_of", "prepare"]

Ready = Mapping[str, Decider | OpportuneError]


def prepare(
    stores: Stores, definitions: Project, names: Iterable[str], before: Ready, *, now: datetime
) -> Ready:
    """Make a decider for each use case, or say why there is none; one that still holds stays."""
    personal = events.personal_fields(stores.state)
    days = learning.model_days(stores, now.date())
    epochs = decisions.epochs(stores)
    found: dict[str, Decider | OpportuneError] = {}
    for name in names:
        try:
            use_case = definitions.use_case(name)
            decisions.check_fields(
                use_case,
                definitions.segments,
                definitions.field_policies,
                metrics=definitions.metrics,
                personal=personal,
            )
            _check_state(use_case)
            _check_stopped(stores, name)
            metric = definitions.metric_of(use_case)
            use_case = decisions.in_unit_of(use_case, metric)
            decider = _decider(stores, use_case, metric, before.get(name), days, now.date())
            if decider.limits is None or decider.limits.epoch != epochs.get(name):
                limits = decisions.limits_of(stores, use_case, now.date())
                decider = replace(decider, limits=limits)
            found[name] = replace(decider, consent=definitions.consent)
        except OpportuneError as error:
            found[name] = error
    return found


def _check_state(use_case: decisions.UseCase) -> None:
    if use_case.aa:
        raise decisions.NotOnRequest(
            f"Use case '{use_case.name}' is in A/A mode: nobody is treated. Take groups.aa away."
        )
    if not use_case.decides:
        is_draft = use_case.state == "draft"
        raise UseCaseNotDeciding(
            f"Use case '{use_case.name}' is {'a draft' if is_draft else 'paused'}: nothing is "
            f"decided. {'Start it' if is_draft else 'Go on'}: opportune start {use_case.name}"
        )


def _check_stopped(stores: Stores, name: str) -> None:
    stop = decisions.stopped(stores.state, name)
    if stop is not None:
        raise UseCaseStopped(
            f"Use case '{name}' is stopped: {stop.reason} Go on: opportune resume {name}"
        )


def _decider(
    stores: Stores,
    use_case: decisions.UseCase,
    metric: events.Metric,
    before: Decider | OpportuneError | None,
    days: Mapping[tuple[str, int], date],
    day: date,
) -> Decider:
    # Before its own first day, a version decides with what an older one learned.
    own = use_case.version if (use_case.name, use_case.version) in days else 0
    possible = {
        f"{name}/{version}/{model_day}"
        for (name, version), model_day in days.items()
        if name == use_case.name and own <= version <= use_case.version
    }
    if (
        isinstance(before, Decider)
        and before.policy_version in possible
        and (before.use_case.version, before.day) == (use_case.version, day)
        and before.use_case.state == use_case.state
    ):
        return before
    trained = learning.newest(stores, use_case, metric, day) if possible else None
    if trained is None:
        raise NotStarted(
            f"Use case '{use_case.name}' has no policy in version {use_case.version} yet, nor in "
            "an older one with the same features, reward, policy and settings: its "
            f"first day is decided at {use_case.decide_at:%H:%M} UTC, or by `opportune run-day "
            f"{use_case.name}`."
        )
    decider = decisions.make_decider(
        use_case,
        trained.playing,
        day=day,
        policy_version=trained.version,
        trained_through=trained.trained_through,
    )
    return replace(decider, champion=champion_of(stores, use_case, metric, day))


def champion_of(
    stores: Stores, use_case: decisions.UseCase, metric: events.Metric, day: date
) -> Decider | None:
    """What decides for the champion's group; None: no policy does, or it has not begun."""
    champion = use_case.as_champion
    trained = None if champion is None else learning.newest(stores, champion, metric, day)
    if champion is None or trained is None:
        return None
    return decisions.make_decider(
        champion,
        trained.playing,
        day=day,
        policy_version=trained.version,
        trained_through=trained.trained_through,
    )
