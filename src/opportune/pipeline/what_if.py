"""Ask the decision log what a use case would have earned otherwise, with its segments as of now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from opportune import learning, reports, segments
from opportune.decisions import Dimension, Forbidden, NotComparable, UseCase
from opportune.errors import nearest
from opportune.pipeline.day import create_tables
from opportune.project import Project
from opportune.storage import Stores

__all__ = ["Otherwise", "log_of", "what_if"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Otherwise:
    """What is asked about: options taken away and pairs forbidden, and what would play.

    ``without``: (dimension, option). ``forbid``: an option for each of two dimensions or more.
    ``plays``: one of ``learning.PLAYS``; ``action``: an option of each dimension for "fixed".
    """

    without: Sequence[tuple[str, str]] = ()
    forbid: Sequence[Mapping[str, str]] = ()
    plays: str = "learned"
    action: Mapping[str, str] = field(default_factory=dict)


def what_if(
    stores: Stores,
    project: Project,
    changed: UseCase,
    *,
    asked: Otherwise,
    log_name: str,
    now: datetime,
) -> learning.WhatIf:
    """Estimate what ``changed`` would have earned on the log of use case ``log_name``.

    ``changed`` may be one that was not applied; what it names must be in ``project``. The log is
    that of the newest version that has rewards. Raises ``NotComparable``.
    """
    create_tables(stores)
    chosen = _otherwise(changed, asked)
    wanted = (*chosen.audience, *chosen.minus)
    segments.current(stores, wanted, project.segments, now=now)
    log = log_of(stores, project, log_name, now=now)
    play = learning.play_of(chosen, asked.plays, asked.action)
    return learning.what_if(stores, log, chosen, play=play, now=now)


def log_of(stores: Stores, project: Project, name: str, *, now: datetime) -> learning.Log:
    """Return the log of the newest version of a use case that has rewards; of the newest, if none.

    Raises ``ProjectNotFound``.
    """
    newest = project.use_case(name)
    metric = project.metric_of(newest)
    days = learning.logged_days(stores, name, now=now)
    for each in reversed(reports.versions(stores.state, name)):
        found = each.use_case
        if each.version not in days or found is None:
            continue
        if found.success_metric == newest.success_metric:
            return learning.Log(before=found, metric=metric, days=tuple(days[each.version]))
    return learning.Log(before=newest, metric=metric, days=())


def _otherwise(use_case: UseCase, asked: Otherwise) -> UseCase:
    """Return ``use_case`` without some options, and with more combinations forbidden."""
    known = {each.name: [option.name for option in each.options] for each in use_case.dimensions}
    pairs = [pair for each in asked.forbid for pair in each.items()]
    for dimension, option in (*asked.without, *pairs):
        if dimension not in known:
            given = f"No dimension '{dimension[:63]}' in '{use_case.name}'."
            raise NotComparable(f"{given} {nearest(dimension, known)}")
        if option not in known[dimension]:
            given = f"Dimension '{dimension}' has no option '{option[:63]}'."
            raise NotComparable(f"{given} {nearest(option, known[dimension])}")
    for each in asked.forbid:
        if len(each) < 2:
            raise NotComparable(
                "A forbidden combination has two dimensions or more, such as "
                "offer=voucher,channel=push. To take one option away, name it with --without."
            )
    more = [
        Forbidden(options={d: (o,) for d, o in each.items()}, when=None) for each in asked.forbid
    ]
    constraints = replace(use_case.constraints, forbidden=(*use_case.constraints.forbidden, *more))
    dimensions = tuple(_left(each, asked.without) for each in use_case.dimensions)
    return replace(use_case, dimensions=dimensions, constraints=constraints)


def _left(dimension: Dimension, without: Sequence[tuple[str, str]]) -> Dimension:
    options = tuple(o for o in dimension.options if (dimension.name, o.name) not in without)
    if not options:
        raise NotComparable(
            f"Every option of '{dimension.name}' is taken away; leave one at least."
        )
    return replace(dimension, options=options)
