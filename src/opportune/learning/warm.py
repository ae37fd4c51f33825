"""Let a use case begin with what others learned: its first day goes on from rows of another log."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol, cast, runtime_checkable

import msgspec

from opportune import policies
from opportune.decisions import UseCase
from opportune.errors import Conflict, InvalidInput, Unsupported
from opportune.events import Metric
from opportune.learning.model import WarmStart
from opportune.learning.train import Moving, made_of, newest, started
from opportune.storage import Stores, load_sql

__all__ = [
    "WARM_SHARE",
    "AlreadyLearned",
    "BadShare",
    "Discounting",
    "NoWarmStart",
    "NotAlike",
    "NothingLearned",
    "WarmStarted",
    "warm_start",
    "warm_start_from",
]

WARM_SHARE = 0.2
"""What a row of another log counts beside an own one, unless somebody says otherwise."""

# Before any day that can be decided.
DAY = date.min


class AlreadyLearned(Conflict):
    """A use case that has learned rewards of its own cannot begin with those of another."""

    code = "already_learned"


class BadShare(InvalidInput):
    """Rows of another log count for more than nothing, and for no more than own ones."""

    code = "bad_share"


class NoWarmStart(Unsupported):
    """The policy of the use case cannot begin with rows of another log."""

    code = "no_warm_start"


class NotAlike(Conflict):
    """What one use case learned means something else for the other."""

    code = "not_alike"


class NothingLearned(Conflict):
    """The use case to begin with has no reward yet."""

    code = "nothing_learned"


@runtime_checkable
class Discounting(Moving, Protocol):
    """A policy that can count rows of another log for less, and go on over other options."""

    def discounted(self, share: float) -> policies.Policy:
        """The same policy as if it had seen ``share`` of every row."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmStarted:
    """What a use case begins with; ``kept`` is False where that was so before."""

    warm_start: WarmStart
    kept: bool


def warm_start(
    stores: Stores,
    use_case: UseCase,
    metric: Metric,
    batches: Iterable[policies.Batch],
    origin: WarmStart,
) -> WarmStarted:
    """Teach a policy of ``use_case`` the ``batches``, and keep it for the first day to go on from.

    The rows count as ``origin.share`` of as many own ones. The same again changes nothing, another
    takes its place as long as nothing was learned. Raises ``NoWarmStart`` for a policy that cannot,
    ``BadShare``, or ``AlreadyLearned``.
    """
    policy = started(use_case, metric)
    _require(use_case, policy, origin.share)
    if _is_learned(stores, use_case, metric, origin):
        return WarmStarted(warm_start=origin, kept=False)
    for batch in batches:
        policy = policy.update(batch)
    return _keep(stores, use_case, metric, _discounted(policy, origin.share), origin)


def warm_start_from(
    stores: Stores, use_case: UseCase, metric: Metric, other: tuple[UseCase, Metric], share: float
) -> WarmStarted:
    """Have ``use_case`` begin with what another one of the same features and reward has learned.

    Options are known by their names: those that only the other one has teach what they say of the
    rest. Raises what `warm_start` does, and ``NotAlike`` or ``NothingLearned`` of the other one.
    """
    _require(use_case, started(use_case, metric), share)
    model, theirs = other
    _check_alike(made_of(use_case, metric), made_of(model, other[1]), use_case.name, model.name)
    trained = newest(stores, model, theirs, date.max)
    if trained is None or trained.trained_through is None:
        raise NothingLearned(
            f"Use case '{model.name}' has learned nothing yet: no reward of a decided day is "
            "complete. Wait for its first one."
        )
    known = trained.policy.to_bytes()
    origin = WarmStart(
        source=f"use case {trained.version}",
        digest=hashlib.blake2b(known, digest_size=16).hexdigest(),
        meaning="",
        outcome=theirs.name,
        rows=None,
        left_out=0,
        share=share,
    )
    if _is_learned(stores, use_case, metric, origin):
        return WarmStarted(warm_start=origin, kept=False)
    moved = cast(Moving, trained.policy).moved(use_case.space)
    return _keep(stores, use_case, metric, _discounted(moved, share), origin)


def _require(use_case: UseCase, policy: policies.Policy, share: float) -> None:
    if not isinstance(policy, Discounting):
        raise NoWarmStart(
            f"Policy '{use_case.policy}' of use case '{use_case.name}' cannot count rows of "
            "another log for less than own ones. Allowed: one with 'discounted' and 'moved', such "
            f"as {policies.FactoredThompson.name}."
        )
    if not 0.0 < share <= 1.0:
        raise BadShare(
            f"A share of {share:g} was given; allowed is above 0 and at most 1: what a row of the "
            "log counts beside a row of the use case's own. 0.2 is usual."
        )


def _check_alike(
    mine: Mapping[str, object], theirs: Mapping[str, object], name: str, other: str
) -> None:
    """Raise where a policy of one could not go on from a policy of the other."""
    ours, learned = (msgspec.json.decode(str(each["learner"])) for each in (mine, theirs))
    differing = [key for key in ours if ours[key] != learned[key]]
    if differing:
        said = "; ".join(f"{key} {learned[key]} there, {ours[key]} here" for key in differing)
        raise NotAlike(
            f"Use case '{name}' cannot go on from '{other}', which learns in another way: {said}. "
            "Features, reward (event, property, unit, window), policy and settings must be equal."
        )


def _is_learned(stores: Stores, use_case: UseCase, metric: Metric, origin: WarmStart) -> bool:
    """Say whether it has learned since it began with ``origin``; raise where it began otherwise."""
    facts = made_of(use_case, metric)
    rows = stores.state.rows(load_sql("opportune.learning", "learned_before"), facts)
    if not rows:
        return False
    newest_one = rows[0]
    began = newest_one["warm_start"]
    if began and msgspec.convert(began, WarmStart) == origin:
        return True
    model = f"{use_case.name}/{newest_one['version']}/{newest_one['day']}"
    raise AlreadyLearned(
        f"Use case '{use_case.name}' has learned rewards of its own: its newest model is {model}, "
        f"begun with {began['source'] if began else 'nothing'}. A warm start comes before the "
        "first reward; for another one, give the use case another name."
    )


def _discounted(policy: policies.Policy, share: float) -> policies.Policy:
    return cast(Discounting, policy).discounted(share)


def _keep(
    stores: Stores, use_case: UseCase, metric: Metric, policy: policies.Policy, origin: WarmStart
) -> WarmStarted:
    facts = {**made_of(use_case, metric), "day": DAY}
    body, told = policy.to_bytes(), msgspec.json.encode(origin).decode()
    facts |= {"body": body, "warm_start": told}
    changed = stores.state.rows(load_sql("opportune.learning", "keep_warm_start"), facts)
    if not changed:
        # It is there already, or rewards were learned meanwhile.
        _is_learned(stores, use_case, metric, origin)
    return WarmStarted(warm_start=origin, kept=bool(changed))
