"""A day of one use case, from who is meant to what is put into the outbox."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial

from opportune import activation, decisions, events, learning, profiles, reports, segments
from opportune.pipeline.conversions import ends_on
from opportune.pipeline.read_again import read_again
from opportune.pipeline.steps import Steps, keep_steps
from opportune.project import Project
from opportune.storage import (
    Stores,
)
from opportune.telemetry import step

__all__ = ["DayDone", "create_tables", "run_day"]

LOGGER = logging.getLogger("opportune")


@dataclass(frozen=True, slots=True, kw_only=True)
class DayDone:
    """What running a day came to; everything was there already when ``enqueued`` is 0 twice.

    ``held_back``: of how many of the audience nothing was decided, by a key of `decisions.REASONS`.
    ``stopped`` says which guard rail was broken, if one was: then nothing was decided or enqueued.
    ``state`` is what the use case may do: a draft or a paused one decides nothing, one in shadow
    decides and has nothing enqueued.
    """

    audience: dict[str, int]
    rewarded: list[date]
    trained_through: date | None
    decided: bool
    enqueued: int
    held_back: dict[str, int]
    stopped: str = ""
    state: str = "live"


def create_tables(stores: Stores) -> None:
    """Make every table of the lake that is not there yet."""
    events.create_tables(stores.lake)
    stores.lake.create("features", decisions.FEATURES)
    stores.lake.create("asked_features", decisions.ASKED_FEATURES)
    stores.lake.create("decisions", decisions.DECISIONS)
    stores.lake.create("rewards", learning.REWARDS)
    stores.lake.create("profile_totals", reports.PROFILE_TOTALS)


def run_day(stores: Stores, project: Project, name: str, day: date, *, now: datetime) -> DayDone:
    """Decide ``day`` for one use case and put the sends into the outbox.

    ``now`` is when the features are taken and the decision is said to be made. What was done before
    by the same call, even one that was killed, stays; only what is missing is done. Raises
    ``events.FieldForbidden`` before any of it where a policy forbids a field that it would use.
    """
    create_tables(stores)
    read_again(stores)
    use_case = _use_case(stores, project, name)
    steps = Steps()
    with step("run_day", {"use_case": name, "day": day.isoformat()}) as running:
        audience = _audience(stores, project, use_case, steps, now=now)
        with steps.timed("reward"):
            # What was asked for before earns its rewards with the others of its day.
            decisions.hand_over_asked(stores, now=now)
            rewarded = learning.reward(stores, use_case, project.metric_of(use_case), now=now)
        stop = decisions.guard(stores, use_case, project.metrics, day, now=now)
        if stop is not None or not use_case.decides:
            return _not_decided(use_case, audience, rewarded, stop)
        trained, decided, enqueued = _decide(stores, project, use_case, (day, steps), now=now)
        if decided:
            keep_steps(stores.state, use_case, day, steps, now=now)
        held_back = decisions.held_back(stores, use_case, day)
        running.count("enqueued", enqueued)
        running.count("held_back", sum(held_back.values()))
    return DayDone(
        audience=audience,
        rewarded=rewarded,
        trained_through=trained.trained_through,
        decided=decided,
        enqueued=enqueued,
        held_back=held_back,
        state=use_case.state,
    )


def _audience(
    stores: Stores, project: Project, use_case: decisions.UseCase, steps: Steps, *, now: datetime
) -> dict[str, int]:
    if project.computed_traits:
        with steps.timed("compute traits"):
            profiles.compute(stores, project.computed_traits.values(), now=now)
    with steps.timed("audience"):
        return segments.current(
            stores, (*use_case.audience, *use_case.minus), project.segments, now=now
        )


def _decide(
    stores: Stores,
    project: Project,
    use_case: decisions.UseCase,
    timed_day: tuple[date, Steps],
    *,
    now: datetime,
) -> tuple[learning.Trained, bool, int]:
    """Learn, decide and hand over; return whether that was new, and the rows of the outbox.

    What computes and what waits for State go side by side, and nothing of the day waits for what is
    only looked at.
    """
    metric, (day, steps) = project.metric_of(use_case), timed_day
    with ThreadPoolExecutor(1) as beside:
        training = beside.submit(
            partial(steps.timed("train")(_train), now=now), stores, use_case, metric, day
        )
        with decisions.alone(stores, use_case, day, now=now):
            with steps.timed("snapshot"):
                decisions.snapshot(stores, use_case, day, profiles.snapshot(stores.state))
            trained, champion = training.result()
            with steps.timed("decide"):
                decided = decisions.decide_beside(
                    stores,
                    use_case,
                    day,
                    player=_player(trained),
                    champion=None if champion is None else _player(champion),
                    now=now,
                )
        summed_up = beside.submit(steps.timed("sum up")(_sum_up), stores, project, use_case)
        with steps.timed("hand over"):
            enqueued = _hand_over(stores, project, use_case, day, now=now)
        summed_up.result()
    return trained, decided, enqueued


def _train(
    stores: Stores, use_case: decisions.UseCase, metric: events.Metric, day: date, *, now: datetime
) -> tuple[learning.Trained, learning.Trained | None]:
    """Return what decides the day, and for its champion, which is there first."""
    beside = use_case.as_champion
    champion = None if beside is None else learning.train(stores, beside, metric, day, now=now)
    return learning.train(stores, use_case, metric, day, now=now), champion


def _player(trained: learning.Trained) -> decisions.Player:
    return decisions.Player(policy=trained.playing, version=trained.version)


def _sum_up(stores: Stores, project: Project, use_case: decisions.UseCase) -> None:
    reports.summarise(stores, use_case, project.metric_of(use_case))
    reports.keep_report_metrics(stores, use_case, project.metrics)


def _hand_over(
    stores: Stores, project: Project, use_case: decisions.UseCase, day: date, *, now: datetime
) -> int:
    if use_case.aa:
        # Groups that are treated alike are sent nothing, by nobody.
        return 0
    ends = ends_on(project.metric_of(use_case))
    enqueued = activation.enqueue(stores, use_case, day, now=now, ends_on=ends)
    for destination in project.destinations.values():
        activation.tell_decisions(stores, destination, use_case, day, now=now)
    return enqueued


def _not_decided(
    use_case: decisions.UseCase,
    audience: dict[str, int],
    rewarded: list[date],
    stop: decisions.Stop | None,
) -> DayDone:
    if stop is not None:
        LOGGER.warning("guard_rail: use_cases/%s is stopped: %s", use_case.name, stop.reason)
    return DayDone(
        audience=audience,
        rewarded=rewarded,
        trained_through=None,
        decided=False,
        enqueued=0,
        held_back={},
        stopped=stop.reason if stop is not None else "",
        state=use_case.state,
    )


def _use_case(stores: Stores, project: Project, name: str) -> decisions.UseCase:
    use_case = project.use_case(name)
    told = decisions.states(stores.state).get(name)
    # As it is now, whatever it was when the definitions were read.
    use_case = replace(use_case, state="live" if told is None else told.state)
    decisions.check_fields(
        use_case,
        project.segments,
        project.field_policies,
        metrics=project.metrics,
        personal=events.personal_fields(stores.state),
    )
    return decisions.in_unit_of(use_case, project.metric_of(use_case))
