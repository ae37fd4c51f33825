"""Play the days of a log again: what was known and drawn then, and what would play now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal, Protocol, cast, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opportune import decisions, policies
from opportune.decisions import Changed, Lived, NotComparable, Possible, UseCase, matrix
from opportune.errors import nearest
from opportune.events import Metric
from opportune.learning.evaluate import (
    Evaluated,
    Logged,
    RewardModel,
    evaluate_log,
    judged,
    weigh,
)
from opportune.learning.lessons import action_indices
from opportune.learning.train import Moving, of_version
from opportune.storage import Stores, load_sql

__all__ = [
    "PLAYS",
    "Again",
    "Log",
    "Part",
    "Play",
    "assess",
    "logged_days",
    "play_again",
    "play_of",
]

PLAYS = ("learned", "uniform", "fixed")
DAYS = 60
MOST_ROWS = 500_000
TABLES = ("decisions", "rewards")

Floats = NDArray[np.float64]
Actions = NDArray[np.int16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """What plays: the policy that "learned", "uniform", or "fixed": always ``action``."""

    kind: Literal["learned", "uniform", "fixed"] = "learned"
    action: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What was decided by version ``before`` of a use case, with rewards of ``metric``.

    ``days``: each with how many of its decisions have a reward.
    """

    before: UseCase
    metric: Metric
    days: tuple[tuple[date, int], ...]


@runtime_checkable
class Expecting(policies.Policy, Protocol):
    """A policy that says which reward it expects."""

    def expected(self, features: Floats, actions: Actions) -> Floats:
        """The mean reward of each action."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """Some rows of one day: what was logged, what plays now, and what was expected."""

    log: Logged
    target: policies.ActionDistribution
    model: RewardModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What became of the rows of the days that were read.

    ``outside`` rows are of nobody in the audience, ``without`` ones have no option left. Of
    ``forgotten`` days the policy is not kept any more.
    """

    days: tuple[date, ...]
    outside: int
    without: int
    forgotten: int


def play_of(use_case: UseCase, kind: str, action: Mapping[str, str] | None = None) -> Play:
    """Return what plays over ``use_case``; raises ``NotComparable`` for what cannot.

    ``action`` names an option of every dimension, where ``kind`` is "fixed".
    """
    if kind not in PLAYS:
        raise NotComparable(f"Policy '{kind[:63]}' given. {nearest(kind, PLAYS)}")
    if kind != "fixed":
        return Play(kind=cast(Literal["learned", "uniform"], kind))
    given = dict(action or {})
    names = [each.name for each in use_case.dimensions]
    if sorted(given) != sorted(names):
        raise NotComparable(
            f"A fixed action has one option of each dimension; {', '.join(given) or 'none'} given. "
            f"Name one of each: {', '.join(names)}."
        )
    for each in use_case.dimensions:
        options = [option.name for option in each.options]
        if given[each.name] not in options:
            raise NotComparable(
                f"Dimension '{each.name}' has no option '{given[each.name][:63]}'. "
                f"{nearest(given[each.name], options)}"
            )
    return Play(kind="fixed", action=tuple(given[name] for name in names))


def logged_days(stores: Stores, name: str, *, now: datetime) -> dict[int, list[tuple[date, int]]]:
    """Return the days of each version of a use case that a log can tell of, with their decisions.

    At most 60 days before ``now``, oldest first.
    """
    if not all((stores.lake.folder / table).is_dir() for table in TABLES):
        return {}
    since = now.date() - timedelta(days=DAYS)
    rows = stores.engine.query(
        load_sql("opportune.learning", "logged_days"),
        {"use_case": name},
        tables=dict.fromkeys(TABLES, ("day", since, now.date())),
    ).to_pylist()
    found: dict[int, list[tuple[date, int]]] = {}
    for row in rows:
        found.setdefault(row["version"], []).append((row["day"], row["decisions"]))
    return found


def _newest(days: Sequence[tuple[date, int]]) -> list[date]:
    """The newest days that have not too many decisions together, oldest first; one at least."""
    chosen: list[date] = []
    total = 0
    for day, count in sorted(days, reverse=True):
        total += count
        if chosen and total > MOST_ROWS:
            break
        chosen.append(day)
    return sorted(chosen)


def play_again(stores: Stores, found: Changed, log: Log, play: Play) -> tuple[list[Part], Again]:
    """Read the newest days of ``log``, and let ``play`` choose from what ``found`` leaves.

    At most half a million decisions, of whole days, one day at least. Raises ``NotComparable``
    where the learned policy cannot go on over other options.
    """
    parts: list[Part] = []
    read: list[date] = []
    outside = without = forgotten = 0
    for day in _newest(log.days):
        kept = of_version(stores, found.before, f"{found.before.name}/{found.before.version}/{day}")
        policy = None if kept is None else _over(kept.playing, found, play)
        if policy is None and play.kind == "learned":
            forgotten += 1
            continue
        rows = _rows(stores, found.before, day)
        left = decisions.possible(found, _lived(rows, found.before), day=day)
        outside, without = outside + left.outside, without + left.without
        if len(left.rows):
            read.append(day)
            chosen = rows.take(pa.array(left.rows))
            parts += _parts(found, log.metric, chosen, left, _Player(play, policy, day))
    counts = Again(days=tuple(read), outside=outside, without=without, forgotten=forgotten)
    return parts, counts


def _lived(rows: pa.Table, before: UseCase) -> Lived:
    return Lived(
        profile_ids=rows["profile_id"].to_numpy(),
        options=matrix(rows["eligible"], len(before.dimensions)).astype(np.int64),
        forbidden=rows["forbidden"].to_numpy(),
        recent=rows["recent"].combine_chunks(),
    )


@dataclass(frozen=True, slots=True)
class _Player:
    """What plays on a day: the policy that was kept of it, where there is one."""

    play: Play
    learned: policies.Policy | None
    day: date

    @property
    def model(self) -> RewardModel:
        """The reward that the kept policy expects; nothing, where none is kept."""
        return self.learned.expected if isinstance(self.learned, Expecting) else _nothing_expected

    def over(self, union: UseCase) -> policies.Policy:
        """The policy whose probabilities are asked for."""
        if self.play.kind == "fixed":
            return policies.Fixed(union.space, self.play.action)
        if self.play.kind == "uniform" or self.learned is None:
            return policies.Uniform(union.space)
        return self.learned


def _nothing_expected(_: Floats, actions: Actions) -> Floats:
    return np.zeros(len(actions))


def _over(policy: policies.Policy, found: Changed, play: Play) -> policies.Policy | None:
    """The kept policy over the options of both definitions; None: it is not needed, and cannot."""
    if found.union.space == found.before.space:
        return policy
    if not isinstance(policy, Moving):
        if play.kind != "learned":
            return None
        raise NotComparable(
            f"Policy '{policy.name}' cannot go on when options come or go. Only take options away, "
            "or ask for policy uniform or fixed."
        )
    return policy.moved(found.union.space)


def _rows(stores: Stores, before: UseCase, day: date) -> pa.Table:
    stores.lake.create("asked_features", decisions.ASKED_FEATURES)
    facts = {"use_case": before.name, "version": before.version, "day": day.isoformat()}
    tables = ("features", "asked_features", "decisions", "rewards")
    return stores.engine.query(
        load_sql("opportune.learning", "logged"),
        facts,
        tables=dict.fromkeys(tables, ("day", day, day)),
    )


def _parts(
    found: Changed, metric: Metric, chosen: pa.Table, left: Possible, player: _Player
) -> Iterator[Part]:
    union, before = found.union, found.before
    in_unit = decisions.in_unit_of(union, metric)
    # Costs in another unit only share out a budget, which a log cannot tell of.
    weighs = in_unit.budget is None or in_unit.budget.unit is None
    values = matrix(chosen["values"], before.feature_count)
    actions = action_indices(union, chosen["action"])
    options = matrix(chosen["eligible"], len(before.dimensions)).astype(np.int64)
    by_option = matrix(chosen["dimension_propensities"], len(before.dimensions))
    seed = policies.seed(f"{before.name}:{player.day}")
    for places, eligible in decisions.parts(union, left.options, left.forbidden, left.recent):
        policy = player.over(union)
        costs = in_unit.costs if weighs else None
        target = policy.distribution(values[places], eligible, seed=seed, costs=costs)
        if player.play.kind == "learned":
            target = decisions.explored(target, union.exploration_min)
        yield Part(
            log=Logged(
                space=union.space,
                features=values[places],
                eligible=policies.Eligibility(options=options[places]),
                actions=actions[places],
                propensities=chosen["propensity"].to_numpy()[places],
                rewards=chosen["reward"].to_numpy()[places],
                dimension_propensities=by_option[places],
            ),
            target=target,
            model=player.model,
        )


def assess(parts: Sequence[Part]) -> tuple[Evaluated, Evaluated]:
    """Return what the target earns, and what the same rows did earn."""
    space = parts[0].log.space
    played = np.unique(np.concatenate([space.codes(each.log.actions) for each in parts]))
    weighed = [weigh(each.log, each.target, model=each.model, played=played) for each in parts]
    together = replace(
        parts[0].log,
        rewards=np.concatenate([each.rewards for each in weighed]),
        propensities=np.concatenate([each.propensities for each in weighed]),
        dimension_propensities=None,
    )
    return judged(weighed, name="what if"), evaluate_log(together, name="as it was")
